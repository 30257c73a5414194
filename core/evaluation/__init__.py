"""The public challenge's protocol: masks, metrics, leaderboard."""

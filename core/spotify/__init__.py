"""What Segue asks of Spotify's Web API, and of services beside it."""

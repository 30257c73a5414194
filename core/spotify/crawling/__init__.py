"""Breadth-first through Spotify, from a playlist to a dataset."""

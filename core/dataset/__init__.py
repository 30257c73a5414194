"""Playlists, tracks and artists in one schema, whatever they came from."""

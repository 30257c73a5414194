"""What services know of tracks and artists, joined into a dataset."""

"""One reader a source; each yields batches of whole playlists."""

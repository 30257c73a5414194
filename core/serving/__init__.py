"""Segue over HTTP: what it answers (`api`), from what (`opened`), and how it is run (`serve`)."""

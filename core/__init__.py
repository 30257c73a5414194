"""Segue: what should play next? The recommender, without a word of its pages."""

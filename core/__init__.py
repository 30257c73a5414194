"""Segue: what should play next? The recommender, without a word of its pages."""

METAFLOW_PACKAGE_POLICY = "include"
"""Metaflow sends the whole package along with a flow that runs elsewhere."""

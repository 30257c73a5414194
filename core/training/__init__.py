"""Fitting models and storing them beside their dataset."""

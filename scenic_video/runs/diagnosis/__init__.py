"""Finds out why a trained run is no better than chance."""

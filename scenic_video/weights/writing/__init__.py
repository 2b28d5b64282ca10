"""Writes weights in the formats of other code bases, and reads back what was written."""

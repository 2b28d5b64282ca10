"""Reads and writes files of weights in the formats of the field, without their libraries."""

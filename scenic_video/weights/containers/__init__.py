"""Reads and writes files of weights in the formats of the field, without their libraries."""

from scenic_video.weights.containers.reading import read
from scenic_video.weights.containers.weight_file import StoredArray, WeightFile

__all__ = ["StoredArray", "WeightFile", "read"]

"""Checkpoints: saved in the background, checked when restored, on any number of devices."""

from scenic_video.checkpoints.manager import Checkpoints, SaveFailed
from scenic_video.checkpoints.storage import CorruptedCheckpoint, UnreadableCheckpoint
from scenic_video.checkpoints.trained_variables import restore_params

__all__ = [
    "Checkpoints",
    "CorruptedCheckpoint",
    "SaveFailed",
    "UnreadableCheckpoint",
    "restore_params",
]

"""Checkpoints: saved in the background, checked when restored, on any number of devices."""

from scenic_video.checkpoints.manager import Checkpoints, SaveFailed, restore_params
from scenic_video.checkpoints.storage import CorruptedCheckpoint, UnreadableCheckpoint

__all__ = [
    "Checkpoints",
    "CorruptedCheckpoint",
    "SaveFailed",
    "UnreadableCheckpoint",
    "restore_params",
]

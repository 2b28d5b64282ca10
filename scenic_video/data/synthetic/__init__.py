"""Synthetic audiovisual actions: real mp4 files for a first run, for tests and for ablations."""

from scenic_video.data.synthetic.generation import dataset, read, synthesize

__all__ = ["dataset", "read", "synthesize"]

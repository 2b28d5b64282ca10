"""The modalities of this package: their names, and where their classes are."""

BUILT_IN = {
    "rgb": "scenic_video.modalities.rgb:Rgb",
    "audio": "scenic_video.modalities.audio:Audio",
    "flow": "scenic_video.modalities.flow:Flow",
}
"""Modalities of other packages are named by the `target` of their node in `preprocessing`."""

DEFAULT = ("rgb",)
"""The inputs of a model if its config names none, and what a report shows of a clip if its own
modalities cannot be shown."""

"""The modalities of this package: their names, and where their classes are."""

BUILT_IN = {
    "rgb": "scenic_video.modalities.rgb:Rgb",
    "audio": "scenic_video.modalities.audio:Audio",
    "flow": "scenic_video.modalities.flow:Flow",
}
"""A modality of another package is named by the `target` of its node in `preprocessing`."""

DEFAULT = ("rgb",)
"""What a model reads if a config names nothing, and what a report shows of a clip whose own
modalities cannot be drawn."""

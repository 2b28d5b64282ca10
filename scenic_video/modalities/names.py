"""What models see and hear, by name."""

MODALITIES = ("rgb", "audio", "flow")

"""What models see and hear, by name."""

WORDS = {"rgb": "rgb", "audio": "spectrogram", "spectrogram": "spectrogram", "flow": "flow"}
"""How users may write a modality, and what the input of a model is called."""

MODALITIES = tuple(dict.fromkeys(WORDS.values()))

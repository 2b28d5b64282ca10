"""The audio around a clip, as a log-mel spectrogram."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.data.examples import Dataset, split_of
from scenic_video.data.input.audio import FULL_SCALE, AudioSettings, is_audible
from scenic_video.data.input.window import Window
from scenic_video.data.sources.fingerprint import examples_fingerprint
from scenic_video.data.sources.statistics import read_statistics
from scenic_video.errors import UserError
from scenic_video.modalities.modality import Arrays, Augment, Modality

NAME = "audio"
"""The key of its statistics."""


@dataclasses.dataclass(frozen=True)
class Audio(AudioSettings, Modality):
    """int16 "waveform" [samples] and "has_audio", 1, or 0 for a clip without audio or a silent one.

    A model gets the spectrogram [columns, bins, 1], normalised by `mean` and `std`; absent audio is
    zeros, the mean. Fields are those of `AudioSettings`.
    """

    letter = "A"
    in_records = True
    can_be_absent = True
    absence = "silent tracks count as no audio"
    stream = 2**31
    path_fields = ("statistics",)

    def read(self, window: Window) -> dict[str, np.ndarray]:
        waveforms = self.waveforms(
            window.example.video,
            window.middles,
            begin=window.reader.first_time,
            duration=window.duration,
            short_clips=window.short_clips,
        )
        arrays = {"waveform": waveforms, "has_audio": is_audible(waveforms)}
        return {name: window.views_of_clips(x) for name, x in arrays.items()}

    def blank(self, clip_shape: tuple[int, int, int], *leading: int) -> dict[str, np.ndarray]:
        return {
            "waveform": np.zeros((*leading, self.num_samples), np.int16),
            "has_audio": np.zeros(leading, np.float32),
        }

    def input_size(self, clip_shape: tuple[int, int, int]) -> tuple[int, ...]:
        return self.num_columns, self.num_mel_bins

    def on_device(self, arrays: Arrays, augment: Augment) -> Any:
        """float32 [b, columns, bins, 1]; augmentations get [b, columns, bins], normalised."""
        import jax.numpy as jnp

        from scenic_video.transforms.spectrograms import log_mel

        if self.mean is None or self.std is None:
            raise UserError(
                "preprocessing.audio.mean and std, which normalise spectrograms, are not set. "
                "`scenic-video data stats` computes them."
            )
        waveform = jnp.asarray(arrays["waveform"], jnp.float32) / FULL_SCALE
        spectrogram = augment((log_mel(waveform, self) - self.mean) / self.std)
        has_audio = jnp.asarray(arrays["has_audio"])[:, None, None] > 0
        return jnp.where(has_audio, spectrogram, 0.0)[..., None]

    def present(self, arrays: Arrays) -> Any:
        return arrays["has_audio"]

    def summary(self) -> str:
        return f"{self.seconds:g} s around the middle of its frames"

    def with_statistics(
        self, dataset: Dataset, *, split: str, command: Callable[[Any], str]
    ) -> "Audio":
        if self.mean is not None:
            return self
        found = read_statistics(Path(self.statistics)) if self.statistics else dataset.statistics
        return self._measured(
            found.get(NAME, ()),
            examples=examples_fingerprint(split_of(dataset, split)),
            dataset=dataset.name,
            command=command(self),
        )

    def _measured(
        self, measured: Sequence[Mapping[str, Any]], *, examples: str, dataset: str, command: str
    ) -> "Audio":
        """This modality, with the mean and std that were `measured` on `examples`.

        `examples` is the fingerprint of the training examples, `command` computes their
        statistics. Errors: UserError if none match in both examples and scale.
        """
        remedy = f"Compute them with `{command}`, or set preprocessing.audio.mean and std."
        if not measured:
            raise UserError(f"{dataset!r} has no statistics of spectrograms. {remedy}")
        same = [found for found in measured if found["examples"] == examples]
        if not same:
            others = " and ".join(f"{found['dataset']}, {found['split']}" for found in measured)
            raise UserError(
                f"The statistics beside {dataset!r} were computed on other examples than those "
                f"of this run: on {others} as they were then. {remedy}"
            )
        for found in same:
            if found["scale"] == self.scale:
                return dataclasses.replace(self, mean=found["mean"], std=found["std"])
        raise UserError(
            f"The statistics of {dataset!r} are of spectrograms with {same[-1]['scale']}, "
            f"but this run computes them with {self.scale}. {remedy}"
        )

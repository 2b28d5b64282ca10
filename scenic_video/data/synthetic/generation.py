"""Synthetic audiovisual actions: real mp4 files for a first run, for tests and for ablations.

In each clip an object performs one of ten actions (see `scenes`) with one of four kinds of
audio. One directory serves several tasks, selected by `heads`:

    action                10 classes, in pairs that differ only in the order of the frames
    action and shape      two heads, such as {"verb": "action", "noun": "shape"}
    audio                 4 classes, which only the audio shows
    event                 20 classes, motion x audio: 4 have the same motion, 5 the same audio
    shapes                multi-label: all visible shapes, of the object and the distractors
    place and size        of the object in single frames, each an example; also brightness

The labels of clips are columns of train.csv and test.csv; shapes/ and frames/ contain manifests of
the others.
"""

import dataclasses
import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from scenic_video.atomic_files import replacing
from scenic_video.data.examples import Dataset
from scenic_video.data.provenance.notes import Note, claim
from scenic_video.data.sources import datasets
from scenic_video.data.sources.manifest import Heads
from scenic_video.data.synthetic.audio import render_audio
from scenic_video.data.synthetic.frames import render_frames
from scenic_video.data.synthetic.labels import (
    CLASSES,
    FOLDERS,
    columns_of_heads,
    is_multilabel,
    manifests_exist,
    manifests_of,
    write_manifests,
)
from scenic_video.data.synthetic.scenes import ACTIONS, Scene, sample_scene
from scenic_video.data.synthetic.video import write_video
from scenic_video.data.synthetic_settings import GENERATOR, SETTINGS_FILE, SPLITS, Settings
from scenic_video.field_types import Count, InnerShare, NonNegative, PositiveInt, Seconds, Seed


def synthesize(
    directory: str | os.PathLike,
    *,
    num_workers: PositiveInt = 1,
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Path:
    """Writes directory/{train,test}/*.mp4 and manifests of them.

    `settings` are the fields of `Settings`. Existing clips are kept, so an interrupted call can be
    repeated and a second one does nothing. `num_workers` > 1 processes share the work; then the
    caller's main module must be importable (`if __name__ == "__main__":`). `progress` is called
    with the numbers of existing and of all clips. Errors: UserError if the directory was generated
    with other settings.
    """
    directory = Path(directory).expanduser()
    chosen = Settings.of(settings)
    note = Note(dataclasses.asdict(chosen) | {"generator": GENERATOR})
    manifests = (f"{split}.csv" for split in SPLITS)
    claim(directory, SETTINGS_FILE, note, contents=(*SPLITS, *filter(None, FOLDERS), *manifests))
    for split in SPLITS:
        (directory / split).mkdir(exist_ok=True)
    clips = [(split, index) for split, size in chosen.split_sizes.items() for index in range(size)]
    missing = [clip for clip in clips if not clip_path(directory, *clip).exists()]
    written = _map(functools.partial(_write_clip, directory, chosen), missing, num_workers)
    for done, _ in enumerate(written, start=len(clips) - len(missing) + 1):
        if progress is not None:
            progress(done, len(clips))
    for split, size in chosen.split_sizes.items():
        if not manifests_exist(directory, split):
            scenes = {
                clip_path(Path(), split, index).as_posix(): sample_scene_of(chosen, split, index)[0]
                for index in range(size)
            }
            write_manifests(directory, chosen, split, scenes)
    return directory


def dataset(
    directory: str,
    *,
    num_clips: PositiveInt,
    seed: Seed = Settings.seed,
    heads: Heads = ("action",),
    size: PositiveInt = Settings.size,
    frame_rate: PositiveInt = Settings.frame_rate,
    seconds: Seconds = Settings.seconds,
    noise: NonNegative = Settings.noise,
    max_distractors: Count = Settings.max_distractors,
    test_fraction: InnerShare = Settings.test_fraction,
    num_workers: PositiveInt = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The clips of `directory`; missing ones are synthesized first.

    More than seven parameters: they are the fields of a `dataset` node, whose schema this is.

    See `Settings` for their properties, and `synthesize` for `num_workers` and `progress`. `heads`
    selects from `labels.CLASSES`; a mapping renames: {"verb": "action", "noun": "shape"}. Labels of
    clips, of frames, and the multi-label `shapes` cannot be combined.
    """
    folder = synthesize(
        directory,
        num_workers=num_workers,
        progress=progress,
        num_clips=num_clips,
        seed=seed,
        size=size,
        frame_rate=frame_rate,
        seconds=seconds,
        noise=noise,
        max_distractors=max_distractors,
        test_fraction=test_fraction,
    )
    return read(str(folder), heads=heads)


def read(directory: str, *, heads: Heads = ("action",)) -> Dataset:
    """The clips of a directory that `synthesize` wrote; see `dataset` for `heads`."""
    folder = Path(directory).expanduser()
    columns = columns_of_heads(heads)
    return datasets.manifest(
        {split: str(path) for split, path in manifests_of(folder, columns).items()},
        heads=columns,
        multilabel=is_multilabel(columns),
        classes={head: CLASSES[column] for head, column in columns.items()},
        flip_safe=False,
        name="synthetic",
    )


def sample_scene_of(
    settings: Settings, split: str, index: int
) -> tuple[Scene, np.random.Generator]:
    """The scene of a clip, and the generator of its noise. Actions take turns."""
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), index])
    scene = sample_scene(
        rng,
        action=index % len(ACTIONS),
        num_frames=settings.num_frames,
        max_distractors=settings.max_distractors,
    )
    return scene, rng


def clip_path(directory: Path, split: str, index: int) -> Path:
    return directory / split / f"{index:05d}.mp4"


def _write_clip(directory: Path, settings: Settings, clip: tuple[str, int]) -> None:
    scene, rng = sample_scene_of(settings, *clip)
    audio = render_audio(scene.audio, seconds=settings.seconds, rng=rng)
    frames = render_frames(scene, size=settings.size, noise=settings.noise, rng=rng)
    path = clip_path(directory, *clip)
    with replacing(path) as scratch:
        write_video(scratch, frames, audio, frame_rate=settings.frame_rate)


def _map(function: Callable, items: Sequence, num_workers: int) -> Iterator:
    """`map` in this process or in spawned ones (a fork would copy the locks of JAX's threads)."""
    if num_workers <= 1 or len(items) <= 1:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        yield from pool.map(function, items, chunksize=4)

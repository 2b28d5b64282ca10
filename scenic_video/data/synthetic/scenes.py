"""The scenes of synthetic clips: ten actions in pairs that differ only in the order of frames.

An action is one of five paths through pose space, forwards or backwards. A clip played backwards
is an equally likely clip of the other action of the pair. So neither the set of its frames, without
their order, nor the middle frame shows which of the two it is. The other four
paths stay at a random point, so that single frames of all ten actions look alike. (The first frame,
known to be the first, does give hints: an object that will move left is on the right.)
"""

import dataclasses

import numpy as np
from jaxtyping import Float

ACTIONS = (
    "move_left",
    "move_right",
    "move_up",
    "move_down",
    "grow",
    "shrink",
    "spin_clockwise",
    "spin_counterclockwise",
    "flash_then_hop",
    "hop_then_flash",
)
"""Even ids follow a path forwards, the odd ids after them the same path backwards."""
MOTIONS = ("slide", "lift", "zoom", "spin", "order")
"""The five paths: `MOTIONS[action // 2]`. A spin follows a circle, like the tip of a
clock's hand, and is near the top halfway."""
SHAPES = ("disc", "square", "triangle", "cross")
"""All have a notch or lack an arm, so that rotations are visible."""
AUDIO_CLASSES = ("rise", "fall", "high_then_low", "low_then_high")

# Lengths in units of the side of a frame, times in units of the duration of the clip.
RADIUS = (0.16, 0.22)
TRAVEL = (0.35, 0.5)
ZOOM = (1.9, 2.7)
TURNS = (0.4, 0.6)
ORBIT = (0.16, 0.22)
MIDDLE_ANGLE = (-5 / 6 * np.pi, -1 / 6 * np.pi)
HOP = (0.22, 0.32)
FLASH = (0.75, 0.95)
OFF_CENTRE = 0.05
DURATION = (0.55, 0.7)
SHAKE = 0.006
DISTRACTOR_RADIUS = (0.08, 0.12)


@dataclasses.dataclass(frozen=True, eq=False)
class SceneObject:
    """An object: its centre relative to that of the frame, radius, angle, and RGB in 0-255."""

    shape: int
    x: float
    y: float
    radius: float
    angle: float
    colour: Float[np.ndarray, " 3"]


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """All random choices for a clip, except the pixel noise.

    `onset` and `duration` are the time in which the object moves along its path. `rest[m]` in
    [-1/2, 1/2] is its position on path m if the action is another one. `shake` is a small (x, y)
    for each frame.
    """

    action: int
    audio: int
    actor: SceneObject
    distractors: tuple[SceneObject, ...]
    onset: float
    duration: float
    rest: tuple[float, ...]
    travel: float
    zoom: float
    turns: float
    orbit: float
    hop: float
    flash: float
    shake: Float[np.ndarray, "t 2"]
    background: Float[np.ndarray, " 3"]
    texture: Float[np.ndarray, "8 8 3"]

    @property
    def shapes(self) -> tuple[int, ...]:
        """The visible shapes, of the object and the distractors, each once."""
        return tuple(sorted({self.actor.shape, *(x.shape for x in self.distractors)}))


@dataclasses.dataclass(frozen=True, eq=False)
class Poses:
    """The object per frame: position, radius, angle (clockwise radians), brightness in [0, 1]."""

    x: Float[np.ndarray, " t"]
    y: Float[np.ndarray, " t"]
    radius: Float[np.ndarray, " t"]
    angle: Float[np.ndarray, " t"]
    brightness: Float[np.ndarray, " t"]


def sample_scene(
    rng: np.random.Generator, *, action: int, num_frames: int, max_distractors: int
) -> Scene:
    """A scene with this action; everything else is random."""
    duration = rng.uniform(*DURATION)
    audio, shape = rng.integers(len(AUDIO_CLASSES)), rng.integers(len(SHAPES))
    return Scene(
        action=action,
        audio=int(audio),
        actor=SceneObject(
            shape=int(shape),
            x=rng.uniform(-OFF_CENTRE, OFF_CENTRE),
            y=rng.uniform(-OFF_CENTRE, OFF_CENTRE),
            radius=rng.uniform(*RADIUS),
            angle=rng.uniform(*MIDDLE_ANGLE),
            colour=rng.uniform(120, 230, 3),
        ),
        distractors=_sample_distractors(rng, max_distractors),
        onset=rng.uniform(0, 1 - duration),
        duration=duration,
        rest=tuple(_path_position(rng.uniform(), *_sample_window(rng)) for _ in MOTIONS),
        travel=rng.uniform(*TRAVEL),
        zoom=rng.uniform(*ZOOM),
        turns=rng.uniform(*TURNS),
        orbit=rng.uniform(*ORBIT),
        hop=rng.uniform(*HOP),
        flash=rng.uniform(*FLASH),
        shake=rng.normal(0, SHAKE, (num_frames, 2)),
        background=rng.uniform(0, 90, 3),
        texture=rng.normal(0, 14, (8, 8, 3)),
    )


def poses(scene: Scene) -> Poses:
    """The pose of the object in every frame."""
    time = np.linspace(0, 1, len(scene.shake))
    forwards = 1 if scene.action % 2 == 0 else -1
    positions = [np.full(len(time), rest) for rest in scene.rest]
    positions[scene.action // 2] = forwards * _path_position(time, scene.onset, scene.duration)
    slide, lift, zoom, spin, order = positions
    angle = scene.actor.angle + 2 * np.pi * scene.turns * spin
    return Poses(
        x=scene.actor.x + scene.orbit * np.cos(angle) - scene.travel * slide + scene.shake[:, 0],
        y=scene.actor.y
        + scene.orbit * np.sin(angle)
        - scene.travel * lift
        - scene.hop * (_bump(order) - 0.5)
        + scene.shake[:, 1],
        radius=scene.actor.radius * scene.zoom**zoom,
        angle=angle,
        brightness=scene.flash * _bump(order + 0.5),
    )


def _path_position(time, onset: float, duration: float):
    """From -1/2 before the onset to 1/2 after the end."""
    return np.clip((time - onset) / duration, 0, 1) - 0.5


def _bump(position):
    """Rises and falls once while `position` goes from 0 to 1/2."""
    return np.sin(2 * np.pi * np.clip(position, 0, 0.5))


def _sample_window(rng: np.random.Generator) -> tuple[float, float]:
    """Onset and duration, with a distribution that is invariant under time reversal."""
    duration = rng.uniform(*DURATION)
    return rng.uniform(0, 1 - duration), duration


def _sample_distractors(rng: np.random.Generator, most: int) -> tuple[SceneObject, ...]:
    """Up to `most` (at most 4) small static objects, each in its own corner."""
    corners = rng.permutation([(-1, -1), (-1, 1), (1, -1), (1, 1)])[: rng.integers(most + 1)]
    return tuple(
        SceneObject(
            shape=int(rng.integers(len(SHAPES))),
            x=x * rng.uniform(0.3, 0.4),
            y=y * rng.uniform(0.3, 0.4),
            radius=rng.uniform(*DISTRACTOR_RADIUS),
            angle=rng.uniform(0, 2 * np.pi),
            colour=rng.uniform(120, 230, 3),
        )
        for x, y in corners
    )

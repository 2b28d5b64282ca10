"""Renders the frames of a synthetic scene."""

import numpy as np
from jaxtyping import Float, UInt8

from scenic_video.data.synthetic import scenes
from scenic_video.data.synthetic.scenes import Scene


def render_frames(
    scene: Scene, *, size: int, noise: float, rng: np.random.Generator
) -> UInt8[np.ndarray, "t size size 3"]:
    """RGB frames. `noise` is the standard deviation of grey pixel noise, in [0, 255]."""
    static = _render_static(scene, size=size)
    actor = scenes.poses(scene)
    inside = _coverage(
        scene.actor.shape,
        x=actor.x,
        y=actor.y,
        radius=actor.radius,
        angle=actor.angle,
        size=size,
    )
    colours = scene.actor.colour + actor.brightness[:, None] * (255 - scene.actor.colour)
    colours = colours.astype(np.float32)[:, None, None, :]
    frames = static + inside[..., None] * (colours - static)
    frames += noise * rng.standard_normal((*inside.shape, 1), dtype=np.float32)
    return np.clip(frames, 0, 255, out=frames).astype(np.uint8)


def _render_static(scene: Scene, *, size: int) -> Float[np.ndarray, "size size 3"]:
    """The static parts: textured background and distractors."""
    patch = np.arange(size) * 8 // size
    image = (scene.background + scene.texture[patch][:, patch]).astype(np.float32)
    for distractor in scene.distractors:
        inside = _coverage(
            distractor.shape,
            x=np.array([distractor.x]),
            y=np.array([distractor.y]),
            radius=np.array([distractor.radius]),
            angle=np.array([distractor.angle]),
            size=size,
        )[0, :, :, None]
        image += inside * (distractor.colour.astype(np.float32) - image)
    return image


def _coverage(
    shape: int,
    *,
    x: Float[np.ndarray, " t"],
    y: Float[np.ndarray, " t"],
    radius: Float[np.ndarray, " t"],
    angle: Float[np.ndarray, " t"],
    size: int,
) -> Float[np.ndarray, "t size size"]:
    """How much of every pixel the shape covers, in [0, 1]."""
    position = (np.arange(size) + 0.5) / size - 0.5
    across = (position - x[:, None]) / radius[:, None]
    down = (position - y[:, None]) / radius[:, None]
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    u = _outer_sum(cosine * across, sine * down)
    v = _outer_sum(-sine * across, cosine * down)
    depth = _DEPTHS[shape](u, v)
    depth *= (radius * size).astype(np.float32)[:, None, None]
    depth += 0.5
    return np.clip(depth, 0, 1, out=depth)


def _outer_sum(across: np.ndarray, down: np.ndarray) -> Float[np.ndarray, "t size size"]:
    return across.astype(np.float32)[:, None, :] + down.astype(np.float32)[:, :, None]


# The distance of a point from the edge of a shape of radius 1, negative outside.


def _disc(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    notch = np.minimum(u, 0.3 - np.abs(v))
    return np.minimum(1 - np.hypot(u, v), -notch)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    notch = np.minimum(u, v)
    return np.minimum(0.85 - np.maximum(np.abs(u), np.abs(v)), -notch)


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.minimum(u + 0.65, 0.45 * (1.15 - u) - 0.9 * np.abs(v))


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    upright = np.minimum(0.36 - np.abs(u), 1 - np.abs(v))
    arm = np.minimum(0.36 - np.abs(v), np.minimum(u + 0.36, 1 - u))
    return np.maximum(upright, arm)


_DEPTHS = (_disc, _square, _triangle, _cross)

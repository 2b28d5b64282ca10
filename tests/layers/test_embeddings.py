"""Patches against convolutions, kernels that start from images, and frame sampling."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scenic_video.layers.embeddings import (
    PatchEmbedding,
    check_clip,
    flat_patches,
    inflate_kernel,
    kernel_initializer,
    uniform_frame_indices,
)


def noise(*shape, seed=0):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize(
    ("pixels", "patch", "stride", "layout"),
    [
        ((2, 9, 10, 3), (4, 3), None, "HW"),
        ((2, 9, 10, 3), (4, 3), (2, 3), "HW"),
        ((2, 5, 9, 10, 3), (2, 4, 3), None, "THW"),
        ((2, 5, 9, 10, 3), (2, 4, 3), (1, 3, 2), "THW"),
    ],
)
def test_the_embedding_is_a_valid_convolution_and_so_are_its_gradients(
    pixels, patch, stride, layout
):
    pixels = noise(*pixels)
    module: Any = PatchEmbedding(features=6, patch_size=patch, stride=stride)
    params = module.init(jax.random.key(1), pixels)["params"]
    params["bias"] = noise(6, seed=2)
    numbers = (f"N{layout}C", f"{layout}IO", f"N{layout}C")

    def convolution(kernel):
        return jax.lax.conv_general_dilated(
            pixels, kernel, stride or patch, "VALID", dimension_numbers=numbers
        )

    def embedding(kernel):
        return module.apply({"params": params | {"kernel": kernel}}, pixels) - jnp.broadcast_to(
            params["bias"], convolution(kernel).shape
        )

    kernel = params["kernel"]
    np.testing.assert_allclose(embedding(kernel), convolution(kernel), atol=1e-5)
    ours = jax.jit(jax.grad(lambda k: (embedding(k) ** 2).sum()))(kernel)
    theirs = jax.jit(jax.grad(lambda k: (convolution(k) ** 2).sum()))(kernel)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_two_axes_embed_every_frame_of_a_video_alike():
    video = noise(2, 4, 8, 8, 3)
    module: Any = PatchEmbedding(features=6, patch_size=(4, 4))
    variables = module.init(jax.random.key(1), video)
    assert variables["params"]["kernel"].shape == (4, 4, 3, 6)
    frames = jnp.stack([module.apply(variables, video[:, t]) for t in range(4)], axis=1)
    np.testing.assert_allclose(module.apply(variables, video), frames, atol=1e-5)


def test_a_patch_larger_than_the_image_is_an_error():
    with pytest.raises(ValueError, match=r"\(16, 16\) does not fit into an input of \(8, 32\)"):
        flat_patches(noise(1, 8, 32, 3), (16, 16))


def test_a_random_kernel_has_the_variance_of_the_whole_tubelet():
    kernel = kernel_initializer("random")(jax.random.key(0), (2, 8, 8, 3, 64))
    assert abs(kernel.std() * np.sqrt(2 * 8 * 8 * 3) - 1) < 0.05


def test_the_central_frame_kernel_is_zero_along_time_but_for_one_frame():
    kernel = kernel_initializer("central_frame")(jax.random.key(0), (3, 4, 4, 3, 5))
    assert (kernel[0] == 0).all() and (kernel[2] == 0).all()
    assert (kernel[1] != 0).all()


def test_the_inflated_kernel_is_the_same_at_all_times():
    kernel = kernel_initializer("filter_inflation")(jax.random.key(0), (3, 4, 4, 3, 5))
    assert (kernel == kernel[:1].repeat(3, axis=0)).all()
    assert (kernel != 0).all()


@pytest.mark.parametrize(("num_frames", "frame"), [(2, 1), (3, 1), (4, 2)])
def test_a_central_frame_tubelet_embeds_as_the_image_model_does(num_frames, frame):
    image_kernel, tubelet = noise(4, 4, 3, 5), noise(num_frames, 4, 4, 3, seed=1)
    kernel = inflate_kernel(image_kernel, num_frames, "central_frame")
    image = jnp.einsum("hwc,hwcd->d", tubelet[frame], image_kernel)
    np.testing.assert_allclose(jnp.einsum("thwc,thwcd->d", tubelet, kernel), image, atol=1e-5)


def test_an_inflated_tubelet_embeds_the_mean_frame():
    image_kernel, tubelet = noise(4, 4, 3, 5), noise(4, 4, 4, 3, seed=1)
    kernel = inflate_kernel(image_kernel, 4, "filter_inflation")
    image = jnp.einsum("hwc,hwcd->d", tubelet.mean(axis=0), image_kernel)
    np.testing.assert_allclose(jnp.einsum("thwc,thwcd->d", tubelet, kernel), image, atol=1e-5)


def test_unknown_ways_to_start_a_kernel_are_errors():
    with pytest.raises(ValueError, match="'middle'"):
        inflate_kernel(noise(4, 4, 3, 5), 2, "middle")
    with pytest.raises(ValueError, match="'middle'"):
        kernel_initializer("middle")
    with pytest.raises(ValueError, match="t, h, w, c, d"):
        kernel_initializer("central_frame")(jax.random.key(0), (4, 4, 3, 5))


@pytest.mark.parametrize(
    ("num_frames", "num_samples", "expected"),
    [
        (8, 3, [2, 4, 6]),
        (32, 5, [5, 11, 16, 21, 27]),  # a walk over floats adds a sixth index here, 31
        (16, 6, [2, 5, 7, 9, 11, 14]),
        (10, 3, [2, 5, 8]),  # 2.5 and 7.5 go to the even neighbour
        (4, 4, [0, 1, 2, 3]),
    ],
)
def test_uniform_frames_are_evenly_spread(num_frames, num_samples, expected):
    assert uniform_frame_indices(num_frames, num_samples).tolist() == expected


def test_uniform_frames_are_always_as_many_as_asked_for_and_distinct():
    for num_frames in range(1, 70):
        for num_samples in range(1, num_frames + 1):
            indices = uniform_frame_indices(num_frames, num_samples)
            assert len(set(indices.tolist())) == num_samples
            assert 0 <= indices[0] and indices[-1] < num_frames


def test_more_uniform_frames_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="9 frames uniformly from 8"):
        uniform_frame_indices(8, 9)


def test_clips_divide_into_tubelets():
    check_clip((2, 4, 8, 8, 3), (2, 4, 4))
    with pytest.raises(ValueError, match="5 frames cannot be split into tubelets of 2"):
        check_clip((2, 5, 8, 8, 3), (2, 4, 4))


def test_images_are_no_clips():
    with pytest.raises(ValueError, match=r"clips .*; got an input of shape \(2, 8, 8, 3\)"):
        check_clip((2, 8, 8, 3), (2, 4, 4))

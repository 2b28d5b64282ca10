"""The registry states what is known, and says what is not."""

import re
from typing import Any

import pytest

from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.errors import UserError
from scenic_video.weights.locations.reading import split
from scenic_video.weights.registry.public_checkpoint import UNKNOWN, PublicCheckpoint
from scenic_video.weights.registry.registry import at, checkpoints, find

ALL = checkpoints().values()
EXAMPLE: dict[str, Any] = {"name": "a-b", "publisher": "us", "address": "https://x.org/a%20b.npz"}


def test_every_checkpoint_has_an_address_and_each_address_one_checkpoint():
    addresses = [address for x in ALL for address in (x.address, *x.mirrors)]
    assert len({*addresses}) == len(addresses) > 50
    for address in addresses:
        assert re.fullmatch(
            r"(https|gs)://[^ ]+|hf:[\w.-]+/[\w.-]+(@[0-9a-f]{40})?:[^ :]+", address
        )
        assert split(address) == (address, ""), "it must not be read as a part of a file"


def test_facts_are_of_the_right_form():
    for x in ALL:
        assert x.sha256 is None or re.fullmatch("[0-9a-f]{8}|[0-9a-f]{64}", x.sha256), x.name
        assert x.num_bytes is None or 1e6 < x.num_bytes < 1e11, x.name
        assert x.paper and (x.licence is None or x.licence), x.name
        if x.preprocessing is not None:
            Preprocessing.from_dict(x.preprocessing)
        if x.reference is not None:
            assert len(x.reference.logits) > 4 and x.reference.source


def test_a_checkpoint_is_found_by_its_name_address_or_repository():
    vivit = find("hf-vivit-b-kinetics400")
    for location in (vivit.name, vivit.address, "hf:google/vivit-b-16x2-kinetics400"):
        assert at(location) is vivit
    assert at("vit.npz") is None and at("hf:google/other") is None


def test_the_pixels_of_a_publisher_are_those_of_its_models_of_frames():
    preprocessing = find("vivit-b-kinetics400").preprocessing or {}
    assert preprocessing["rgb"] == {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert preprocessing["stride"] == 2


def test_a_misspelt_name_gets_the_nearest_ones():
    assert find("vit-l16-imagenet21k").model["num_layers"] == 24
    with pytest.raises(UserError, match="'vit-l16-imagnet21k'. Did you mean 'vit-l16-imagenet21k'"):
        find("vit-l16-imagnet21k")


def test_what_is_not_known_is_said_and_not_checked():
    unknown = PublicCheckpoint(**EXAMPLE)
    assert unknown.size == UNKNOWN and unknown.file_name == "a b.npz"
    unknown.check_size(3)
    unknown.check_sha256("0" * 64)


def test_a_rounded_size_and_the_start_of_a_hash_are_compared_as_such():
    rounded = PublicCheckpoint(**EXAMPLE, num_bytes=100_000_000, is_rounded=True, sha256="12345678")
    assert rounded.size == "about 100 MB"
    rounded.check_size(99_000_000)
    rounded.check_sha256("12345678" + "0" * 56)
    with pytest.raises(UserError, match="has 90,000,000 bytes, but a-b has about 100 MB"):
        rounded.check_size(90_000_000)
    with pytest.raises(UserError, match="that of a-b is 12345678|but a-b has 12345678"):
        rounded.check_sha256("0" * 64)


def test_an_exact_size_is_compared_to_the_byte():
    exact = PublicCheckpoint(**EXAMPLE, num_bytes=1_234_567_890)
    assert exact.size == "1.23 GB"
    with pytest.raises(UserError, match="incomplete"):
        exact.check_size(1_234_567_889)


def test_an_address_of_the_hub_has_one_for_browsers():
    hub = PublicCheckpoint(name="a-b", publisher="us", address="hf:org/model:model.safetensors")
    assert hub.web_address == "https://huggingface.co/org/model/resolve/main/model.safetensors"
    assert hub.file_name == "model.safetensors"

"""How the family of a checkpoint is found."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from scenic_video.errors import UserError
from scenic_video.weights.families.family import (
    Family,
    Unsupported,
    Weights,
    installed_families,
    number_of_heads,
    recognise,
)
from scenic_video.weights.families.names import Leaves

ROTARY = Unsupported("Rotary ViT", ("rope.periods",), "with rotary positions")
SCALED = Unsupported("Scaled ViT", ("ls1.gamma", "ls2.gamma"), "with LayerScale")


class Anything(Family):
    name = "Anything"

    def matches(self, leaves: Mapping[str, Any]) -> bool:
        return True

    def read(self, leaves: Leaves, metadata: Mapping[str, Any]) -> Weights:
        return Weights(family=self.name, params=leaves)


def leaves(*names: str) -> dict[str, Any]:
    return {name: SimpleNamespace(shape=(8,)) for name in names}


def test_the_one_family_that_matches_is_found():
    found = recognise(leaves("blocks.0.ls1.gamma", "blocks.0.ls2.gamma"), [ROTARY, SCALED])
    assert found is SCALED
    with pytest.raises(UserError, match="weights of Scaled ViT, with LayerScale, which no model"):
        found.read({}, {})


def test_none_and_several_are_errors_that_show_names():
    with pytest.raises(UserError, match="No known family of models has these 1 arrays: conv.weigh"):
        recognise(leaves("conv.weight"), [ROTARY, SCALED])
    with pytest.raises(UserError, match="could be Anything and Anything"):
        recognise(leaves("kernel"), [Anything(), Anything()])


def test_an_unsupported_part_decides():
    assert recognise(leaves("rope.periods", "kernel"), [Anything(), ROTARY]) is ROTARY


def test_families_of_all_projects_are_installed():
    assert all(isinstance(family, Family) for family in installed_families())


def test_heads_are_those_stated_or_of_a_public_width():
    assert number_of_heads(768) == 12
    assert number_of_heads(32, 4) == 4
    with pytest.raises(UserError, match="32 is not the width of a public model"):
        number_of_heads(32)

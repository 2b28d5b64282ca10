"""Shots are drawn class by class."""

import numpy as np

from scenic_video.evaluators.draw import Draw

CLASS_IDS = np.array([0] * 9 + [1] * 5 + [2] * 2)


def draw(seed=0, **fields):
    sizes = {"max_shots": 3, "num_held_out": 4}
    return Draw.of(CLASS_IDS, 4, seed=seed, **(sizes | fields))


def counts(positions):
    return np.bincount(CLASS_IDS[positions], minlength=4).tolist()


def test_every_class_gives_as_many_shots_or_all_it_has():
    assert counts(draw().shots(1)) == [1, 1, 1, 0]
    assert counts(draw().shots(3)) == [3, 3, 2, 0]
    assert [draw().num_short(shots) for shots in (1, 2, 3)] == [1, 1, 2]


def test_what_is_held_out_is_never_a_shot():
    found = draw()
    assert counts(found.held_out) == [4, 2, 0, 0]
    assert not set(found.held_out) & set(found.shots(3))
    assert sorted(found.all) == sorted([*found.shots(3), *found.held_out])


def test_fewer_shots_are_some_of_the_more():
    assert set(draw().shots(1)) < set(draw().shots(2)) < set(draw().shots(3))


def test_the_draw_depends_on_the_seed_alone():
    np.testing.assert_array_equal(draw(seed=1).shots(3), draw(seed=1).shots(3))
    assert any(set(draw(seed=seed).shots(1)) != set(draw().shots(1)) for seed in (1, 2, 3))


def test_what_falls_out_is_replaced_by_the_next():
    found = draw()
    places = np.arange(len(CLASS_IDS))[::-1].copy()
    lost = found.positions[0][0]
    places[lost] = -1
    moved = found.among(places)
    np.testing.assert_array_equal(moved.positions[0], places[found.positions[0][1:]])
    np.testing.assert_array_equal(moved.positions[1], places[found.positions[1]])
    assert len(moved.shots(3)) == 8 and len(moved.held_out) == 5

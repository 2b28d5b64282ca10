"""Shots are selected class by class."""

import numpy as np

from scenic_video.evaluators.selection import Selection

CLASS_IDS = np.array([0] * 9 + [1] * 5 + [2] * 2)


def selection(seed=0, **fields):
    sizes = {"max_shots": 3, "num_held_out": 4}
    return Selection.of(CLASS_IDS, 4, seed=seed, **(sizes | fields))


def counts(positions):
    return np.bincount(CLASS_IDS[positions], minlength=4).tolist()


def test_every_class_gives_as_many_shots_or_all_it_has():
    assert counts(selection().shots(1)) == [1, 1, 1, 0]
    assert counts(selection().shots(3)) == [3, 3, 2, 0]
    assert [selection().num_short(shots) for shots in (1, 2, 3)] == [1, 1, 2]


def test_what_is_held_out_is_never_a_shot():
    found = selection()
    assert counts(found.held_out) == [4, 2, 0, 0]
    assert not set(found.held_out) & set(found.shots(3))
    assert sorted(found.all) == sorted([*found.shots(3), *found.held_out])


def test_fewer_shots_are_a_subset_of_more():
    assert set(selection().shots(1)) < set(selection().shots(2)) < set(selection().shots(3))


def test_the_selection_depends_on_the_seed_alone():
    np.testing.assert_array_equal(selection(seed=1).shots(3), selection(seed=1).shots(3))
    assert any(
        set(selection(seed=seed).shots(1)) != set(selection().shots(1)) for seed in (1, 2, 3)
    )


def test_a_missing_example_is_replaced_by_the_next():
    found = selection()
    places = np.arange(len(CLASS_IDS))[::-1].copy()
    lost = found.positions[0][0]
    places[lost] = -1
    moved = found.among(places)
    np.testing.assert_array_equal(moved.positions[0], places[found.positions[0][1:]])
    np.testing.assert_array_equal(moved.positions[1], places[found.positions[1]])
    assert len(moved.shots(3)) == 8 and len(moved.held_out) == 5

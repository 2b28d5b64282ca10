import numpy as np
import pytest

from scenic_video.data.examples import Example, LabelSpace
from scenic_video.data.input.geometry import Geometry
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.input.rows import MAX_ATTEMPTS, TrainingRow, label_arrays, row_rng

LABELS = LabelSpace({"label": tuple("abcdefg")})


def training_row(examples, *, seed: int = 0) -> TrainingRow:
    return TrainingRow(
        examples=examples,
        labels=LABELS,
        preprocessing=Preprocessing(num_frames=4, resize=32, crop=24),
        seed=seed,
        geometry=Geometry(scale_jitter=(0.9, 1.33), flip=True),
    )


def test_a_row_is_the_clip_that_its_generator_draws(clips):
    """Fixes the scheme, since any change would make older runs resume differently."""
    rng = np.random.Generator(np.random.Philox(key=[5, 1234]))
    expected = Preprocessing(num_frames=4, resize=32, crop=24).train_inputs(
        clips[3], rng, Geometry(scale_jitter=(0.9, 1.33), flip=True)
    )["rgb"]
    row = training_row(clips, seed=5)(1234, 3)
    np.testing.assert_array_equal(row.arrays["inputs"]["rgb"], expected)
    assert row.bad_files == ()


def test_generators_differ_by_seed_index_and_attempt():
    values = {
        row_rng(seed, index, attempt=attempt).integers(2**63)
        for seed in range(3)
        for index in range(3)
        for attempt in range(3)
    }
    assert len(values) == 27
    assert row_rng(1, 2).integers(2**63) == row_rng(1, 2).integers(2**63)


def test_replacement_is_the_same_every_time_and_reports_the_bad_file(clips, tmp_path):
    bad = Example("bad", str(tmp_path / "missing.mp4"), {"label": (0,)})
    load = training_row([bad, *clips[1:]])
    first, second = load(9, 0), load(9, 0)
    np.testing.assert_array_equal(first.arrays["inputs"]["rgb"], second.arrays["inputs"]["rgb"])
    assert first.bad_files == second.bad_files
    assert [bad_file.id for bad_file in first.bad_files] == ["bad"] * len(first.bad_files)
    assert first.bad_files[0].file == bad.video and first.bad_files[0].index == 0
    stand_ins = {int(load(index, 0).arrays["label"]["label"]) for index in range(12)}
    assert len(stand_ins) > 2 and 0 not in stand_ins


def test_search_for_a_replacement_ends():
    bytes_without_video = [Example(f"e{i}", b"nothing", {"label": (0,)}) for i in range(3)]
    with pytest.raises(ValueError, match=f"{MAX_ATTEMPTS} examples in a row"):
        training_row(bytes_without_video)(0, 0)


def test_label_arrays_hold_one_class_per_head():
    labels = LabelSpace({"verb": ("open", "close"), "noun": ("door", "jar", "box")})
    arrays = label_arrays(Example("e", "e.mp4", {"verb": (1,), "noun": (2,)}), labels)
    assert {head: (int(x), x.dtype, x.shape) for head, x in arrays.items()} == {
        "verb": (1, np.dtype(np.int32), ()),
        "noun": (2, np.dtype(np.int32), ()),
    }


def test_two_classes_need_a_multilabel_dataset():
    with pytest.raises(ValueError, match="'e' has 2 classes for 'label'"):
        label_arrays(Example("e", "e.mp4", {"label": (1, 2)}), LABELS)


def test_multi_hot_rows_may_be_empty():
    labels = LabelSpace({"label": ("a", "b", "c")}, multilabel=True)
    rows = [
        label_arrays(Example("e", "e.mp4", {"label": ids}), labels)["label"]
        for ids in [(), (2,), (0, 2)]
    ]
    assert [row.tolist() for row in rows] == [[0, 0, 0], [0, 0, 1], [1, 0, 1]]
    assert all(row.dtype == np.float32 for row in rows)

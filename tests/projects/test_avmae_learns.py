"""What pretraining without labels and a second sense are worth: the shipped configs, for fewer
steps."""

import pytest

from tests.helpers.learning import learn


@pytest.fixture(scope="module")
def event(tmp_path_factory):
    """Accuracies by variant, of motion x audio: of 20 events, eyes alone leave 4 and ears alone 5,
    so that nobody without the other sense is right on more than 25 % and 20 %."""
    folder = tmp_path_factory.mktemp("avmae")
    clips, start = folder / "clips", folder / "pretraining"
    learn(
        "avmae/synthetic_pretraining.py",
        start,
        clips=clips,
        trainer__num_steps=1500,
        trainer__eval_every=1500,
        learning_rate__warmup_steps=150,
    )
    variants = ("audiovisual", "audiovisual_from_scratch", "video", "audio")
    return {
        variant: learn(
            f"avmae/synthetic_fine_tuning.py:{variant}",
            folder / variant,
            clips=clips,
            **({} if variant.endswith("scratch") else {"init__workdir": start}),
        )
        for variant in variants
    }


@pytest.mark.slow
def test_video_and_audio_together_are_better_than_either(event):
    for alone in ("video", "audio"):
        assert event["audiovisual"]["top1"] >= event[alone]["top1"] + 0.08


@pytest.mark.slow
def test_pretraining_without_labels_helps_where_labels_are_few(event):
    assert event["audiovisual"]["loss"] < event["audiovisual_from_scratch"]["loss"]

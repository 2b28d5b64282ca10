"""A second view helps where a view alone learns slowly: the shipped configs, for fewer steps."""

import pytest

from tests.helpers.learning import learn


@pytest.mark.slow
def test_two_views_learn_in_steps_that_the_larger_view_alone_does_not(tmp_path):
    """Chance is 10 %. All 500 steps: 95.5 % and 28.5 %."""
    top1 = {
        variant: learn(
            f"mtv/synthetic.py:{variant}",
            tmp_path / variant,
            clips=tmp_path / "clips",
            trainer__num_steps=250,
            trainer__eval_every=250,
            learning_rate__warmup_steps=25,
        )["top1"]
        for variant in ("two_views", "fine")
    }
    print(top1)
    assert top1["two_views"] >= 0.6
    assert top1["two_views"] >= top1["fine"] + 0.2

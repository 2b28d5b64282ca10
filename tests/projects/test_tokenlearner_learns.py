"""TokenLearner learns the synthetic actions with few tokens: the shipped config, on less data."""

import pytest

from tests.helpers.learning import learn


@pytest.mark.slow
def test_few_learned_tokens_tell_ten_actions_apart(tmp_path):
    """Chance is 10 %, and single frames say no more than that. All 300 steps reach 89.5 %."""
    metrics = learn(
        "tokenlearner/synthetic.py:token_learner",
        tmp_path / "run",
        clips=tmp_path / "clips",
        trainer__num_steps=200,
        trainer__eval_every=200,
        learning_rate__warmup_steps=60,
    )
    assert metrics["top1"] >= 0.6

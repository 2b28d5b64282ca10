"""What a project of one's own does wrong ends in one sentence with the cure."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from scenic_video import cli
from tests.helpers.runs import CONFIG

README = Path(__file__).parents[2] / "README.md"
PROJECT = '''
import flax.linen as nn
import jax.numpy as jnp
from scenic_video.errors import UserError
from scenic_video.tasks.task import Output


class Net(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, rgb, *, train):
        return nn.Dense(self.num_classes)(rgb.mean(axis=(1, 2, 3)))


def darker(clip, rng, *, factor=0.5):
    return clip * factor


class WithoutTrain(Net):
    def __call__(self, rgb):
        return super().__call__(rgb, train=False)


class NamedX(Net):
    def __call__(self, x, train):
        return super().__call__(x, train=train)


class AsksForMore(Net):
    def __call__(self, rgb, train, temperature):
        return super().__call__(rgb, train=train)


class WithoutPooling(Net):
    @nn.compact
    def __call__(self, rgb, *, train):
        return nn.Dense(self.num_classes)(rgb)


class ATuple(Net):
    @nn.compact
    def __call__(self, rgb, *, train):
        return nn.Dense(self.num_classes)(rgb.mean(axis=(1, 2, 3))), rgb


class ADict(Net):
    @nn.compact
    def __call__(self, rgb, *, train):
        return {"logits": nn.Dense(self.num_classes)(rgb.mean(axis=(1, 2, 3)))}


class OverTheBatch(Net):
    @nn.compact
    def __call__(self, rgb, *, train):
        return nn.Dense(self.num_classes)(rgb.mean(axis=(0, 1, 2, 3)))[None].repeat(3, axis=0)


class FiveClasses(nn.Module):
    @nn.compact
    def __call__(self, rgb, *, train):
        return nn.Dense(5)(rgb.mean(axis=(1, 2, 3)))


class EvenOnly(Net):
    def __post_init__(self):
        super().__post_init__()
        raise ValueError(f"num_classes must be odd; got {self.num_classes}.")


class BrokenCall(Net):
    def __call__(self, rgb, *, train):
        raise ValueError("out of its depths")


class LongClips(Net):
    def __call__(self, rgb, *, train):
        raise UserError("The clips are too short.")


class NoModule:
    def __call__(self, rgb, *, train):
        return rgb


def not_callable():
    return 3


class Task:
    """A right one, but for what `gives` changes."""

    def __init__(self, model, transform, gives):
        self.model, self.transform, self.gives = model, transform, gives

    def init(self, rng, batch):
        if self.gives == "init":
            return self.model
        inputs = self.transform(batch["inputs"], rng=rng, train=False)
        return self.model.init(rng, **inputs, train=False)

    def __call__(self, variables, batch, *, rng, train):
        weight = batch["mask"].sum()
        fields = dict(loss=jnp.zeros(()), weight=weight, metrics={}, model_state={}, predictions={})
        fields |= {
            "loss": {"loss": batch["mask"]},
            "metric": {"metrics": {"loss": 0.0}},
            "state": {"model_state": {"batch_stats": weight}},
            "predictions": {"predictions": weight},
        }.get(self.gives, {})
        if self.gives == "lacks":
            del fields["predictions"]
        if self.gives == "other":
            fields["metric"] = 3
        return fields if self.gives == "dict" else Output(**fields)
'''


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What the command line says to a config with these overrides, after its exit code."""
    (tmp_path / "mine.py").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)

    def say(text, *overrides):
        (tmp_path / "config.py").write_text(text.format(data="clips"))
        code = cli.main(["train", "--config=config.py", "--dry-run", *overrides])
        said = capsys.readouterr()
        return f"{code} " + " ".join((said.out + said.err).split())

    yield say
    monkeypatch.delitem(sys.modules, "mine", raising=False)


def with_model(name):
    return f"--config.model={{'target': 'mine:{name}'}}"


def test_a_model_of_ones_own_needs_no_change_here(said):
    assert said(CONFIG, with_model("Net")).startswith("0 ")


def test_a_model_of_ones_own_is_sharded_by_rules_in_the_config(said):
    mesh = ["--config.mesh.tensor=2", "--config.mesh.fsdp=2"]
    split = said(CONFIG, with_model("Net"), *mesh, "--config.sharding.min_bytes=0")
    assert split.startswith("0 ") and "('fsdp',)" in split
    rules = "--config.sharding.rules=(('Dense_0/kernel',(None,'tensor')),)"
    ruled = said(CONFIG, with_model("Net"), *mesh, rules)
    assert ruled.startswith("0 ") and "(None, 'tensor')" in ruled
    refused = said(CONFIG, with_model("Net"), *mesh, rules.replace("Dense_0", "dense"))
    assert refused.startswith("2 ") and "sharding.rules: 'dense/kernel' matches none" in refused
    assert "Did you mean 'Dense_0/kernel'" in refused


def test_an_augmentation_of_ones_own_needs_no_change_here(said):
    listed = "--config.augmentation.rgb=[{'target': 'mine:darker', 'factor': 0.25}]"
    found = said(CONFIG, with_model("Net"), listed)
    assert found.startswith("0 ") and '"target": "mine:darker", "factor": 0.25' in found
    wrong = said(CONFIG, with_model("Net"), listed.replace("factor", "factr"))
    assert wrong.startswith("2 ") and "no field 'factr'. Did you mean 'factor'" in wrong


def test_a_dry_run_says_how_much_is_trained(said):
    dry = said(CONFIG, with_model("Net"), "--config.trainer.freeze=('bias',)")
    assert dry.startswith("0 ") and "of these trained 30" in dry
    refused = said(CONFIG, with_model("Net"), "--config.trainer.freeze=('biases',)")
    assert refused.startswith("2 ") and "trainer.freeze: 'biases' matches none" in refused


def test_a_model_that_does_not_know_its_layers_has_no_rates_by_layer(said):
    refused = said(CONFIG, with_model("Net"), "--config.optimizer.layer_decay=0.75")
    assert refused.startswith("2 ") and "a method layers_after(path) -> int" in refused


@pytest.mark.parametrize(
    "model, words",
    [
        ("WithoutTrain", "takes rgb, but is called with the keywords rgb, train. Write def"),
        ("NamedX", "but takes x, train. Write def __call__(self, *, rgb, train)"),
        ("AsksForMore", "give further arguments a default"),
        ("WithoutPooling", "wanted logits [batch, classes] = (1, 10). Pool over"),
        ("OverTheBatch", "wanted logits [batch, classes]"),
        ("ATuple", "returned a tuple; wanted logits [batch, classes], or {modality: logits}"),
        ("ADict", "returned a dict of 'logits'"),
        ("FiveClasses", "returned 5 logits, but the heads {'action': 10} need 10. Add a field"),
        ("NoModule", "wanted a Flax Linen module"),
        ("not_callable", "The model is a int, which cannot be called"),
    ],
)
def test_a_model_that_cannot_be_trained_is_told_in_a_sentence(said, model, words):
    found = said(CONFIG, with_model(model))
    assert (
        found.startswith("2 error: ")
        and re.sub(r"= \(\d, 10\)", "= (1, 10)", found).count(words) == 1
    )


@pytest.mark.parametrize(
    "model, words",
    [
        ("EvenOnly", "mine:EvenOnly: num_classes must be odd; got 10."),
        ("LongClips", "The clips are too short."),
    ],
)
def test_what_a_constructor_refuses_and_a_user_error_of_a_call_end_in_their_sentence(
    said, model, words
):
    assert said(CONFIG, with_model(model)) == f"2 error: {words}"


def test_any_other_error_of_a_model_that_is_called_keeps_its_traceback(said):
    with pytest.raises(ValueError, match="out of its depths"):
        said(CONFIG, with_model("BrokenCall"))


@pytest.mark.parametrize(
    "gives, words",
    [
        ("init", "Task.init returned a Net; wanted the variables of a model"),
        ("lacks", "missing 1 required positional argument: 'predictions'. A task returns"),
        ("other", "unexpected keyword argument 'metric'. A task returns"),
        ("dict", "Task returns a dict. A task returns"),
        ("loss", "loss has the shape (8,); wanted one number"),
        ("metric", "the metric 'loss' is a float"),
        ("state", "wanted the collections other than params: {}"),
        ("predictions", "predictions is a"),
    ],
)
def test_a_task_that_gives_something_else_is_told_in_a_sentence(said, gives, words):
    task = f"--config.task={{'target': 'mine:Task', 'gives': '{gives}'}}"
    found = said(CONFIG, with_model("Net"), task)
    assert found.startswith("2 error: ") and words in found


def test_a_task_of_ones_own_needs_no_change_here(said):
    task = "--config.task={'target': 'mine:Task', 'gives': 'all'}"
    assert said(CONFIG, with_model("Net"), task).startswith("0 ")


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    section = README.read_text().partition("## Extending")[2]
    model, test = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[:2]
    (command,) = re.findall(r"scenic-video (train .*--dry-run)", section)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_project").mkdir()
    (tmp_path / "my_project" / "model.py").write_text(model)
    written: dict[str, Any] = {}
    exec(test, written)
    written["test_a_video_gives_logits"]()
    assert cli.main(shlex.split(command)) == 0
    assert "my_project.model:MyModel" in capsys.readouterr().out
    for name in ("my_project", "my_project.model"):
        monkeypatch.delitem(sys.modules, name, raising=False)

"""Every field of every constructor that a config can name meets values that it cannot have.

Each is refused in one sentence, or makes what was asked for; a traceback is neither. The fields
are read from the signatures, so that a new one is covered by itself.
"""

import functools
import importlib
import inspect
import math
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from flax import linen as nn

import projects
from scenic_video import type_checks
from scenic_video.config import ConfigError, build, check_values, resolve
from scenic_video.data import published
from scenic_video.data.examples import Dataset
from scenic_video.errors import UserError
from scenic_video.tasks.mixup import Mixing

BAD = {
    "text": "abc",
    "empty text": "",
    "None": None,
    "nan": math.nan,
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "negative": -3,
    "minus a bit": -0.5,
    "zero": 0,
    "huge": 10**400,
    "beyond int32": 2**40,
    "a share": 0.5,
    "yes": True,
    "list": ["abc", None],
    "empty list": [],
    "list of nan": [math.nan] * 3,
    "negative list": [-1, -1, -1],
    "mapping": {"abc": "abc"},
    "bytes": b"abc",
    "object": object(),
}
VIT = {"hidden_size": 8, "mlp_dim": 8, "num_layers": 2, "num_heads": 2}
DECODER = {f"decoder_{name}": value for name, value in VIT.items()}
MODEL = {"num_classes": 3, **VIT}
STEPS = {"num_steps": 10, "steps_per_epoch": 5.0}
KINDS: dict[str, dict[str, Any]] = {
    "projects.vivit.model:ViT": MODEL,
    "projects.vivit.model:SpatioTemporalAttention": MODEL,
    "projects.vivit.model:FrameAverage": MODEL,
    "projects.vivit.model:FactorisedEncoder": MODEL,
    "projects.vivit.model:FactorisedSelfAttention": MODEL,
    "projects.vivit.model:FactorisedDotProduct": MODEL,
    "projects.vivit.videoprism.model:VideoPrism": MODEL,
    "projects.tokenlearner.model:TokenLearnerViT": MODEL | {"token_learner_at": 1},
    "projects.tokenlearner.model:TokenLearnerViViT": MODEL | {"token_learner_at": 1},
    "projects.tokenlearner.model:PoolingViT": MODEL | {"pool_at": [1], "pool_windows": [2]},
    "projects.mtv.model:MTV": {"num_classes": 3, "views": "Ti/2"},
    "projects.mtv.views:View": VIT | {"tubelet_size": [2, 8, 8]},
    "projects.avmae.model:MBT": MODEL | {"fusion_layer": 1},
    "projects.avmae.model:PretrainedMBT": MODEL | {"fusion_layer": 1},
    "projects.avmae.finetuning.model:PretrainedViT": MODEL,
    "projects.avmae.spectrograms.model:SpectrogramTransformer": MODEL,
    "projects.avmae.pretraining.model:MaskedAutoencoder": VIT | DECODER,
    "projects.avmae.pretraining.model:AudiovisualMaskedAutoencoder": VIT
    | DECODER
    | {"masking_rates": {"rgb": 0.9, "audio": 0.7}, "fusion_layers": 1},
    "scenic_video.layers.view_fusion:CrossViewAttention": {},
    "scenic_video.layers.view_fusion:Bottleneck": {},
    "scenic_video.layers.view_fusion:MLPFusion": {},
    "scenic_video.tasks.classification:Classification": {},
    "scenic_video.tasks.masked_reconstruction:MaskedReconstruction": {},
    "scenic_video.optimizers:adamw": {},
    "scenic_video.optimizers:chain": {"direction": {"target": "optax:lion"}},
    "scenic_video.optimizers:sgd": {},
    "scenic_video.optimizers:LayerDecay": {"factor": 0.5},
    "scenic_video.optimizers:WeightDecay": {"coefficient": 0.1},
    "scenic_video.optimizers:constant": {"peak": 0.1},
    "scenic_video.optimizers:warmup_cosine": {"peak": 0.1},
    "scenic_video.optimizers:warmup_linear": {"peak": 0.1},
    "scenic_video.trainer:TrainerOptions": {"num_steps": 10},
    "scenic_video.runs.options:InputOptions": {"batch_size": 8},
    "scenic_video.runs.options:EvaluationOptions": {},
    "scenic_video.sharding:make_mesh": {},
    "scenic_video.sharding:Placement": {},
    "scenic_video.data.input.preprocessing:Preprocessing": {"num_frames": 4},
    "scenic_video.modalities.audio:Audio": {},
    "scenic_video.modalities.rgb:Rgb": {},
    "scenic_video.data.input.geometry:Geometry": {},
    "scenic_video.tasks.mixup:Mixing": {},
    "scenic_video.data.synthetic_settings:Settings": {"num_clips": 10},
}
"""What a config can name and what makes nothing by being built -> fields that make it."""
RUNTIME: dict[str, dict[str, Any]] = {
    "scenic_video.tasks.classification:Classification": {"model": None, "heads": {"label": 3}},
    "scenic_video.tasks.masked_reconstruction:MaskedReconstruction": {"model": None},
}
for _name in ("classification:Classification", "masked_reconstruction:MaskedReconstruction"):
    RUNTIME[f"scenic_video.tasks.{_name}"]["transform"] = dict
RUNTIME["scenic_video.tasks.classification:Classification"]["mixing"] = Mixing()
OPTIMIZERS = ("adamw", "chain", "sgd")
RUNTIME |= {f"scenic_video.optimizers:{name}": {"learning_rate": 0.1} for name in OPTIMIZERS}
RUNTIME |= {
    f"scenic_video.optimizers:{name}": STEPS
    for name in ("constant", "warmup_cosine", "warmup_linear")
}
READERS = {
    "scenic_video.data.synthetic:dataset": {"directory": "clips", "num_clips": 10},
    "scenic_video.data.sources.class_folders:class_folders": {"directory": "clips"},
    "scenic_video.data.sources.datasets:open_dataset": {"path": "clips"},
    "scenic_video.evaluators.few_shot:FewShot": {},
    "scenic_video.evaluators.split:SplitEvaluation": {},
    "scenic_video.runs.options:InitOptions": {},
}
"""What reads files, or the weights of a run: only its values are looked at."""


def functions(package: Any, suffix: str = "") -> list[str]:
    """The targets of all public functions of the modules of a package, by the end of their name."""
    found = []
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith(suffix):
            for name, function in vars(importlib.import_module(module.name)).items():
                is_own = getattr(function, "__module__", "") == module.name
                if is_own and inspect.isfunction(function) and not name.startswith("_"):
                    found.append(f"{module.name}:{name}")
    return found


READERS |= {
    target: {}
    for target in functions(published)
    if inspect.signature(resolve(target)).return_annotation is Dataset
}
READERS |= {
    target: {}
    for target in functions(projects, ".pretrained")
    if "allow_random" in inspect.signature(resolve(target)).parameters
}


def runtime(target: str) -> dict[str, Any]:
    return RUNTIME.get(target, {})


def mutations(target: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(field, what is wrong, the node) for all that a config may set."""
    known = runtime(target)
    for field, parameter in inspect.signature(resolve(target)).parameters.items():
        is_set = field not in known and field not in ("parent", "name", "target")
        if not is_set or parameter.kind is parameter.VAR_KEYWORD:
            continue
        for wrong, value in BAD.items():
            yield field, wrong, {"target": target, **(KINDS | READERS)[target], field: value}


def one_unfit_each(target: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Those that fit their annotation, which the constructor is left to judge, and of the others
    one a field, since all are refused at the same place."""
    parameters = inspect.signature(resolve(target)).parameters
    annotations = {name: parameter.annotation for name, parameter in parameters.items()}
    unfit = set()
    for field, wrong, node in mutations(target):
        fits = type_checks.fits(node[field], annotations[field])
        if fits or field not in unfit:
            yield field, wrong, node
        if not fits:
            unfit.add(field)


def outcome(make: Any) -> str:
    """ "made", or the words of the refusal; anything else comes through."""
    try:
        make()
    except UserError as error:
        assert type(error.__cause__) is not ValueError, "not our own words"
        return str(error)
    return "made"


@pytest.mark.parametrize("target", KINDS)
def test_a_value_that_cannot_be_is_refused_in_one_sentence(target):
    build({"target": target, **KINDS[target]}, **runtime(target))
    tracebacks = {}
    for field, wrong, node in one_unfit_each(target):
        try:
            words = outcome(functools.partial(build, node, **runtime(target)))
        except Exception as error:
            tracebacks[field, wrong] = repr(error)[:200]
            continue
        assert words == "made" or (len(words) < 700 and "\n" not in words), words
    assert not tracebacks


@pytest.mark.parametrize("target", READERS)
def test_what_reads_files_refuses_values_before_it_reads(target):
    for _, _, node in mutations(target):
        outcome(functools.partial(check_values, node, "dataset"))


@pytest.mark.parametrize("target", [*KINDS, *READERS])
def test_defaults_are_what_their_annotations_want(target):
    for field, parameter in inspect.signature(resolve(target)).parameters.items():
        is_made = repr(parameter.default) == "<factory>"
        is_given = parameter.default is not parameter.empty and not is_made
        if is_given and field not in ("parent", "name"):
            assert type_checks.fits(parameter.default, parameter.annotation), field


@pytest.mark.parametrize("target", [*KINDS, *READERS])
@pytest.mark.parametrize("wrong", ["nan", "infinite", "minus infinite", "huge"])
def test_no_number_is_endless(target, wrong):
    for field, found, node in mutations(target):
        annotation = inspect.signature(resolve(target)).parameters[field].annotation
        if found == wrong and annotation is not Any and not _is_open(annotation):
            with pytest.raises(ConfigError, match=field):
                check_values(node, "node")


@pytest.mark.parametrize("target", [*KINDS, *READERS])
def test_every_whole_number_has_a_range(target):
    for field, parameter in inspect.signature(resolve(target)).parameters.items():
        annotation = parameter.annotation
        is_endless = type_checks.fits(-(2**40), annotation) and not _is_any_number(annotation)
        assert not is_endless or field in runtime(target), f"{field}: see field_types"


def _is_any_number(annotation: Any) -> bool:
    """Whether a fraction below zero is as good, as for a bias or a mean; or anything at all."""
    return type_checks.fits(-0.5, annotation)


def _is_open(annotation: Any) -> bool:
    """Whether it takes everything, as that of a dtype does."""
    return type_checks.fits(object(), annotation)


def test_every_model_of_the_projects_is_among_the_kinds():
    for module in pkgutil.walk_packages(projects.__path__, "projects."):
        if not module.name.endswith(".model"):
            continue
        for name, kind in vars(importlib.import_module(module.name)).items():
            is_own = inspect.isclass(kind) and kind.__module__ == module.name
            if is_own and issubclass(kind, nn.Module) and not name.startswith("_"):
                assert f"{module.name}:{name}" in KINDS or name == "ProjectionHeadAndClassifier"

"""A field or an input of another type is an error that says what was wanted.

Tests check annotations on every call, which users do not, so this happens in a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "MTV(num_classes=3, views='Ti/2', fusion='cva')": "fusion is 'cva'; it must be None, or",
    "MTV(num_classes=3, views='Ti/2', fusion={'layers': (5,)})": "In a config write dict(target=",
    "MTV(num_classes=3, views=2)": "Views are written 'B/2+S/4', or a sequence of views; got 2.",
    "MTV(num_classes=3, views=View(**TINY))": "or a sequence of views; got View(",
    "MTV(num_classes=3, views=[TINY | {'modality': 'sound'}])": "View.modality is 'sound'",
    "MTV(num_classes=3, views='Ti/2', merge='width')": "MTV.merge is 'width'; wanted 'channel'",
    "MTV(num_classes=3, views=[None])": "a mapping of its fields, hidden_size, mlp_dim,",
    "View(**TINY | {'tubelet_size': 8})": "View.tubelet_size is 8; wanted a sequence",
    "Bottleneck(layers='5,11')": "Bottleneck.layers is '5,11'; wanted a sequence of length 1",
    "Bottleneck(layers=5)": "layers is 5; wanted a sequence of length 1 or more, each",
    "Bottleneck(layers=(0.5,))": "layers is (0.5,); wanted a sequence",
    "FewShot(RUN, shots=5)": "FewShot.shots is 5; wanted a sequence of length 1 or more",
    "FewShot(RUN, shots=(1.5,))": "FewShot.shots is (1.5,); wanted a sequence",
    "FewShot(RUN, l2=0.1)": "FewShot.l2 is 0.1; wanted a sequence of length 1 or more",
    "Preprocessing(num_frames=2, short_clips='error')": "short_clips is 'error'; wanted 'loop' or",
    "Classification(None, {'a': 2}, print, loss='hinge')": "loss is 'hinge'; wanted 'softmax' or",
    "Classification(None, {'a': 2}, print, average_views='votes')": "average_views is 'votes'",
    "Checkpoints('x', best_mode='most')": "Checkpoints.best_mode is 'most'; wanted 'max' or 'min'.",
    "seen(MTV(num_classes=3, views='Ti/2'))": "got an input of shape (2, 32, 32, 3)",
    "seen(TokenLearnerViViT(num_classes=3, token_learner_at=1, **size('Ti')))": "clips [batch",
    "seen(SpatioTemporalAttention(num_classes=3, **size('Ti')))": "or use an image model.",
}
PROGRAM = """
import json, sys
import jax, jax.numpy as jnp
from projects.mtv.model import MTV
from projects.mtv.views import View
from projects.tokenlearner.model import TokenLearnerViViT
from projects.vivit.model import SpatioTemporalAttention
from scenic_video.checkpoints.manager import Checkpoints
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.evaluators.evaluator import Run
from scenic_video.evaluators.few_shot import FewShot
from scenic_video.layers.sizes import size
from scenic_video.layers.view_fusion import Bottleneck
from scenic_video.tasks.classification import Classification

RUN = object.__new__(Run)

TINY = dict(hidden_size=8, mlp_dim=8, num_layers=1, num_heads=1, tubelet_size=(2, 8, 8))

def seen(model):
    images = jnp.zeros((2, 32, 32, 3))
    jax.eval_shape(lambda rgb: model.init(jax.random.key(0), rgb=rgb), images)

def message(case):
    try:
        eval(case)
    except ValueError as error:
        return str(error)

print(json.dumps({case: message(case) for case in json.load(sys.stdin)}))
"""


@pytest.fixture(scope="module")
def messages():
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(list(CASES)),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(finished.stdout)


@pytest.mark.parametrize("case", CASES)
def test_the_error_says_what_came_and_what_was_wanted(case, messages):
    assert CASES[case] in messages[case]

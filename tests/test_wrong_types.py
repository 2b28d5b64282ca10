"""A field or an input of another type is an error that says what was wanted.

Tests check annotations on every call, which users do not, so this happens in a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {
    "MTV(num_classes=3, views='Ti/2', fusion='cva')": "fusion is 'cva'; it is None, or",
    "MTV(num_classes=3, views='Ti/2', fusion={'layers': (5,)})": "In a config write dict(target=",
    "MTV(num_classes=3, views=2)": "Views are written 'B/2+S/4', or a sequence of views; got 2.",
    "MTV(num_classes=3, views=View(**TINY))": "or a sequence of views; got View(",
    "MTV(num_classes=3, views=[None])": "a mapping of its fields, hidden_size, mlp_dim,",
    "View(**TINY | {'tubelet_size': 8})": "View.tubelet_size is 8; wanted a sequence",
    "Bottleneck(layers='5,11')": "Bottleneck.layers is '5,11'; wanted a sequence of length 1",
    "Bottleneck(layers=5)": "layers is 5; wanted a sequence of length 1 or more, each",
    "Bottleneck(layers=(0.5,))": "layers is (0.5,); wanted a sequence",
    "FewShot(None, shots=5)": "FewShot.shots must be a sequence of whole numbers above 0, such as",
    "FewShot(None, shots=(1.5,))": "such as (1, 5, 10); got (1.5,).",
    "FewShot(None, l2=0.1)": "FewShot.l2 must be a sequence of numbers above 0, such as (1.0,)",
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
from scenic_video.evaluators.few_shot import FewShot
from scenic_video.layers.sizes import size
from scenic_video.layers.view_fusion import Bottleneck

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

"""Every field that a config names meets overrides that it cannot have, by the whole command.

Tests check annotations on every call, which users do not, so this happens in processes of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NODES = ("input", "trainer", "optimizer", "learning_rate", "evaluation", "preprocessing", "mesh")
NODES += ("model", "task", "augmentation", "init", "dataset")
PROGRAM = """
import contextlib, inspect, io, json, sys
from scenic_video.cli import main
from scenic_video.commands.configs import load_config
from scenic_video.config import resolve

BAD = ("abc", "", "None", "1e999", "-1", "-0.5", "0", "True", "[]", "(-1, -1)", "{'a': 1}")
config, name = sys.argv[1:]
node = load_config([f"--config={config}"])[name]
fields = {*node, *inspect.signature(resolve(node.target)).parameters}
wrong = {}
for field in sorted(fields - {"target", "name", "parent"}):
    for bad in BAD:
        override, errors = f"--config.{name}.{field}={bad}", io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                code = main(["train", f"--config={config}", override, "--dry-run"])
            except Exception as error:
                code = repr(error)
        if code not in (0, 2) or (code == 2 and errors.getvalue().count("\\n") > 3):
            wrong[override] = f"{code}: {errors.getvalue()}"[:300]
print(json.dumps(wrong))
"""


@pytest.mark.parametrize("node", NODES)
def test_an_override_is_refused_or_makes_a_run(node, config):
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(config), node],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(finished.stdout.splitlines()[-1]) == {}

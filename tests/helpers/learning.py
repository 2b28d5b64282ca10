"""Shipped configs on synthetic clips, trained by the command line as users do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def learn(config: str, workdir: Path, *, clips: Path, **overrides: Any) -> dict[str, float]:
    """Trains `config`, a path under configs/, into `workdir`, and returns its test metrics.

    `clips` is where the synthetic clips are, or are made. Dots of the fields in `overrides` are
    written as "__". XLA optimizes, unlike elsewhere in tests.
    """
    fields = {"dataset__directory": clips, **overrides}
    flags = [f"--config.{name.replace('__', '.')}={value}" for name, value in fields.items()]
    subprocess.run(
        [
            *(sys.executable, "-m", "scenic_video.cli", "train"),
            *(f"--config=configs/{config}", f"--workdir={workdir}", *flags),
        ],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": ""},
        check=True,
        timeout=1800,
    )
    return json.loads((workdir / "eval" / "test_1x1.json").read_text())["metrics"]

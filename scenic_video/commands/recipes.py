"""scenic-video recipes: lists the experiments that have a config, with costs and results.

These come from a table in the docstring of each config: a row for each variant (one row without a
name if there are none), under these columns.

    variant  GFLOPs         M params  EFLOP  top1  JFT top1  released top1  ours top1
    late     187.9 (187)    305.6 (306)   27     80.6  -         -              -

GFLOPs are of one view, by the papers' convention; EFLOP are of the whole training. The paper's own
figure is in brackets where it differs. All further columns are results in percent: as printed, as
printed with pretraining on private data (JFT, WTS), of the released weights, and ours. A column
with several is called "top1, top5", and its cells are written "84.9, 95.8".
"""

import argparse
import ast
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scenic_video.commands.config_files import CONFIGS, run_config
from scenic_video.commands.configs import completed
from scenic_video.commands.console import Terminal
from scenic_video.config import ConfigError
from scenic_video.data.input.views import Views
from scenic_video.layers.sizes import SIZES
from scenic_video.runs.options import EvaluationOptions

COSTS = ("variant", "GFLOPs", "M params", "EFLOP")
OURS = "ours "

EXAMPLES = """\
examples:
  scenic-video recipes
  scenic-video recipes --project=mtv --data=kinetics400
  scenic-video recipes --model=TokenLearner

The docstring of a config names its paper, its command and its initial weights.
"""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One row of a config's table. `name` is the value of --config, and `named` the config itself,
    without defaults."""

    file: str
    row: Mapping[str, str]
    named: Any

    @functools.cached_property
    def config(self) -> Any:
        """The config with its defaults, for which its model is imported."""
        return completed(self.named).lock()

    @property
    def variant(self) -> str:
        return self.row.get("variant", "")

    @property
    def name(self) -> str:
        return f"{self.file}:{self.variant}" if self.variant else self.file

    @property
    def workdir(self) -> str:
        """The workdir in the command of its docstring."""
        run = self.file.removesuffix(".py")
        return f"runs/{run}_{self.variant}" if self.variant else f"runs/{run}"

    @property
    def project(self) -> str:
        return self.file.split("/")[0]

    @property
    def data(self) -> str:
        dataset = self.named.dataset
        if isinstance(dataset, str):
            return dataset
        return dataset.get("name") or dataset.target.rpartition(".")[-1].partition(":")[0]

    @property
    def model(self) -> str:
        """The class and its size, such as "MTV B/2+S/4+Ti/8" or "FactorisedEncoder B"."""
        model = self.named.model.to_dict()
        name = model["target"].partition(":")[-1]
        if "views" in model:
            return f"{name} {model['views']}" if isinstance(model["views"], str) else name
        letters = [x for x, fields in SIZES.items() if model | fields == model]
        return " ".join([name, *letters])

    @property
    def cost(self) -> str:
        """GFLOPs per view x number of views."""
        views = Views.parse(EvaluationOptions(**self.named.get("evaluation", {})).views)
        return f"{self.row['GFLOPs']} x {views.num_clips * views.num_crops}"

    def results(self, *, ours: bool) -> str:
        """All results, or all of ours, such as "top1 80.0, released top1 79.9"."""
        cells = {c: x for c, x in self.row.items() if c not in COSTS and x != "-"}
        return ", ".join(
            f"{name} {number}"
            for column, cell in cells.items()
            if column.startswith(OURS) == ours
            for name, number in _results(column.removeprefix(OURS), cell)
        )


def add_parser(subparsers: Any) -> None:
    """Adds the command `recipes`."""
    parser = subparsers.add_parser(
        "recipes", help="list the configs of experiments", epilog=EXAMPLES
    )
    parser.description = (
        "Lists the experiments that have a config, published ones and ours, and their results."
    )
    parser.add_argument("--project", help="only the configs of one folder, such as mtv")
    parser.add_argument("--data", help="only data sets whose names contain this, such as kinetics")
    parser.add_argument("--model", help="only models whose names contain this, such as Factorised")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    recipes = list(find_recipes())
    chosen = recipes
    for field in ("project", "data", "model"):
        wanted = getattr(arguments, field) or ""
        known = dict.fromkeys(getattr(recipe, field) for recipe in chosen)
        chosen = [r for r in chosen if wanted.lower() in getattr(r, field).lower()]
        if not chosen:
            raise ConfigError(f"No recipe has --{field}={wanted}; choose from {', '.join(known)}.")
    columns = ("--config=", "model", "data", "GFLOPs x views", "M params", "printed, %", "ours, %")
    rows = [_cells(recipe) for recipe in chosen]
    Terminal().table(f"{len(chosen)} recipes", columns, rows, fold=False)
    return 0


def _cells(recipe: Recipe) -> tuple[str, ...]:
    parameters = recipe.row["M params"]
    results = recipe.results(ours=False), recipe.results(ours=True)
    return recipe.name, recipe.model, recipe.data, recipe.cost, parameters, *results


def find_recipes(folder: Path = CONFIGS) -> Iterator[Recipe]:
    """Every row of every table in the configs below `folder`, by file."""
    for path in sorted(folder.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        for row in read_table(docstring):
            variant = f":{row['variant']}" if "variant" in row else ""
            config = run_config(f"{path}{variant}")
            yield Recipe(path.relative_to(folder).as_posix(), row, config)


def read_table(docstring: str) -> list[dict[str, str]]:
    """The rows of the table of costs in a docstring, column -> cell; none without such a table.

    Its header contains "GFLOPs"; it ends at an empty line. Cells are separated by two spaces or
    more; "-" is an empty one. Errors: ConfigError for a row of another length than the header.
    """
    lines = iter(docstring.splitlines())
    columns = next((_split(line) for line in lines if "GFLOPs" in _split(line)), [])
    rows = []
    for line in lines:
        if not line.strip():
            break
        cells = _split(line)
        if len(cells) != len(columns):
            raise ConfigError(f"The cells {cells} do not fit the columns {columns}.")
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def _results(column: str, cell: str) -> list[tuple[str, str]]:
    """[("JFT top1", "84.9"), ("top5", "95.8")] of the column "JFT top1, top5"."""
    return list(zip(column.split(", "), cell.split(", "), strict=True))


def _split(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())

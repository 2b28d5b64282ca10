"""The README of scenic_video/data matches the code."""

import inspect
import re
from pathlib import Path

import pytest

from scenic_video.config import resolve
from scenic_video.data import published

README = Path(published.__file__).parents[1] / "README.md"
ROWS = [
    line.split("|")[1:-1]
    for line in README.read_text().splitlines()
    if re.match(r"\|.*\| `\w+:\w+` \|", line)
]


def test_the_readme_lists_every_published_data_set():
    modules = {path.stem for path in Path(published.__file__).parent.glob("*.py")}
    named = {target.strip(" `").partition(":")[0] for _, target, *_ in ROWS}
    assert named == modules - {"__init__", "annotations"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip())
def test_targets_and_fields_of_the_readme_exist(row):
    _, target, fields, _ = (cell.strip() for cell in row)
    function = resolve("scenic_video.data.published." + target.strip("`"))
    parameters = inspect.signature(function).parameters
    named = re.findall(r"`(\w+)[=`]", fields)
    assert named and set(named) <= set(parameters)
    assert {"root", "missing", "name"} <= set(parameters)
    required = {name for name, p in parameters.items() if p.default is p.empty}
    assert required <= {*named, "root"}

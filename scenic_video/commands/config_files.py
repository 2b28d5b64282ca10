"""Finds the file of a config, `FILE[:VARIANT]`, and runs its get_config()."""

import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from scenic_video.config import ConfigError, near

CONFIGS = Path(__file__).parents[2] / "configs"


def run_config(name: str) -> Any:
    """The config that get_config() of a file returns, for the variant in `name` if there is one.

    A file that is not found from the working directory is searched for in the configs of this
    clone, with or without "configs/" in front, as `scenic-video recipes` lists them. Errors:
    ConfigError.
    """
    path, variant = _find(name)
    get_config = _get_config(path)
    config = _call(get_config, path, variant)
    if not isinstance(config, ConfigDict):
        raise ConfigError(f"get_config() of {path} must return a ConfigDict; got {config!r:.80}.")
    return config


def _find(name: str) -> tuple[Path, str]:
    """The file and the variant; the path may contain a colon too."""
    before, _, after = name.rpartition(":")
    readings = [(name, "")] + ([(before, after)] if before else [])
    for file, variant in readings:
        for path in (Path(file), CONFIGS / file, CONFIGS.parent / file):
            if path.is_file():
                return path, variant
    file = before if before.endswith(".py") else name
    siblings = [str(path) for path in Path(file).parent.glob("*.py") if path.stem != "__init__"]
    raise ConfigError(f"There is no config file {file!r}{near(file, siblings)}")


def _get_config(path: Path) -> Callable[..., Any]:
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
    except SyntaxError as error:
        raise ConfigError(f"{error.filename}, line {error.lineno}: {error.msg}.") from error
    except ModuleNotFoundError as error:
        raise ConfigError(_not_found(path, error.name or "")) from error
    if get_config is None:
        raise ConfigError(f"{path} must define get_config(), which returns a ConfigDict.")
    return get_config


def _not_found(path: Path, module: str) -> str:
    folder = path.resolve().parent
    start = f"{path} imports {module!r}, "
    if any(folder.glob(f"{module.partition('.')[0]}*")):
        return start + (
            "which is beside it, but a config can only import what is installed or in the working "
            f"directory. Run the command in {folder}, or set PYTHONPATH={folder}."
        )
    return start + "which is neither installed nor in the working directory."


def _call(get_config: Callable[..., Any], path: Path, variant: str) -> Any:
    parameters = inspect.signature(get_config).parameters.values()
    if variant and not parameters:
        raise ConfigError(f"{path} has no variants; got {variant!r}. Use --config={path}")
    if not variant and any(p.default is p.empty and p.kind not in (2, 4) for p in parameters):
        raise ConfigError(f"{path} has variants. Choose one: --config={path}:VARIANT")
    try:
        return get_config(variant) if variant else get_config()
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error

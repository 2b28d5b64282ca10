"""Who may know whom: a room stands above all it imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = {
    "scenic_video.cli": 5,
    "scenic_video.commands": 5,
    "scenic_video.loop": 4,
    "scenic_video.visualize": 4,
    "scenic_video.evaluators": 4,
    "scenic_video.trainer": 3,
    "scenic_video.tasks": 2,
    "scenic_video.flops": 2,
    "projects": 2,
    "scenic_video.weights": 1,
    "scenic_video.layers": 1,
    "scenic_video.data": 1,
    "scenic_video.metrics": 1,
    "scenic_video.optimizers": 1,
    "scenic_video.layer_decay": 1,
    "scenic_video.checkpoints": 1,
    "scenic_video.sharding": 1,
    "scenic_video.preemption": 1,
    "scenic_video.writers": 1,
    "scenic_video.console": 1,
    "scenic_video.views": 1,
    "scenic_video.config": 0,
    "scenic_video.printable": 0,
    "scenic_video.trust": 0,
    "scenic_video.disk_errors": 0,
    "scenic_video.type_checks": 0,
    "scenic_video.field_types": 0,
    "scenic_video.modalities": 0,
}

DATA_OF_CONFIGS = "scenic_video.layers.sizes"
"""The one module that configs may import: a table without code, which would otherwise be written
twice, in the configs and in the models that read a size by its letter."""

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in ("scenic_video", "projects", "configs")
    for path in (ROOT / folder).rglob("*.py")
)


def path_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(module: str) -> set[str]:
    """All modules that `module` imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & set(MODULES) if names <= set(MODULES) else {node.module, *names}
    return found


def ours(module: str) -> set[str]:
    return {
        name
        for name in imports_of(module)
        if name in MODULES and name not in ("scenic_video", "projects", "scenic_video.commands")
    }


def room(module: str) -> str:
    """The room of a module, or "" if it has none."""
    parts = module.split(".")
    candidates = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in candidates if name in FLOORS), "")


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("scenic_video.")])
def test_every_room_has_a_floor(module):
    assert room(module), f"{module} is a new room: give it a floor in FLOORS."


@pytest.mark.parametrize("module", [m for m in MODULES if room(m)])
def test_a_room_stands_above_all_it_imports(module):
    for imported in ours(module):
        same_room = room(module) == room(imported)
        higher = FLOORS[room(module)] > FLOORS[room(imported)]
        level = FLOORS[room(module)] == FLOORS[room(imported)] and not module.startswith("projects")
        assert same_room or higher or level, f"{module} must not import {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("scenic_video")])
def test_the_framework_knows_no_project(module):
    assert not any(name.split(".")[0] in ("projects", "configs") for name in imports_of(module))


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("projects.")])
def test_a_project_knows_no_other_project_and_no_task(module):
    project = module.split(".")[1]
    for name in ours(module):
        assert not name.startswith("scenic_video.tasks")
        assert not name.startswith("projects.") or name.split(".")[1] == project


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("configs.")])
def test_configs_name_code_and_do_not_import_it(module):
    for name in ours(module):
        allowed = name.startswith("configs.") or name == DATA_OF_CONFIGS
        assert allowed, f"{module} must not import {name}"


def test_what_configs_may_import_imports_nothing_of_ours():
    assert not ours(DATA_OF_CONFIGS)


def test_the_trainer_knows_no_concrete_task_model_or_dataset():
    for module in ("scenic_video.trainer", "scenic_video.loop"):
        allowed = "scenic_video.tasks.task"
        for name in ours(module):
            assert not name.startswith(("scenic_video.data", "scenic_video.layers"))
            assert not name.startswith("scenic_video.tasks.") or name == allowed


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("configs")])
def test_only_layers_and_models_import_linen(module):
    if module.startswith("scenic_video.layers") or module.endswith(".model"):
        return
    names = imports_of(module)
    assert not any(n.startswith("flax.linen") for n in names)
    source = path_of(module).read_text()
    assert "from flax import linen" not in source


@pytest.mark.parametrize("module", MODULES)
def test_configs_and_flags_stay_in_commands(module):
    if module.startswith(("configs", "scenic_video.commands", "scenic_video.cli")):
        return
    assert "ml_collections" not in {name.split(".")[0] for name in imports_of(module)}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_uses_pmap_or_tensorflow(module):
    assert "pmap" not in path_of(module).read_text()
    assert "tensorflow" not in {name.split(".")[0] for name in imports_of(module)}


def test_there_is_no_import_cycle():
    done: set[str] = set()

    def visit(module: str, stack: tuple[str, ...]) -> None:
        assert module not in stack, " -> ".join((*stack, module))
        if module not in done:
            for imported in ours(module):
                visit(imported, (*stack, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_every_module_imports_without_tensorflow():
    code = "import importlib, sys\n" + "\n".join(
        f"importlib.import_module({module!r})" for module in MODULES
    )
    code += "\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

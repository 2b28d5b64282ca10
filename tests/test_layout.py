"""Who may import whom, and what stands where."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

TABLE = re.compile(r"^\| ([\d.]+) \| (.*?) \|", re.MULTILINE)
LAYERS = {
    name if name == "projects" else f"scenic_video.{name}": float(layer)
    for layer, names in TABLE.findall((ROOT / "CONTRIBUTING.md").read_text())
    for name in re.findall(r"`([\w.]+)`", names)
}
"""Package or module -> its layer, by the table in CONTRIBUTING.md; the longest name counts."""

DATA_OF_CONFIGS = "scenic_video.layers.sizes"
"""The one module that configs may import: a table without code, which would otherwise be written
twice, in the configs and in the models that read a size by its letter."""

MODULES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for folder in ("scenic_video", "projects", "configs")
    for path in (ROOT / folder).rglob("*.py")
)
FRAMEWORK = [module for module in MODULES if module.startswith("scenic_video")]


def path_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def nodes_of(module: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path_of(module).read_text())))


@functools.cache
def imports_of(module: str) -> frozenset[str]:
    """All modules that `module` imports, those inside functions too."""
    found, modules = set(), set(MODULES)
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if names <= modules else {node.module, *names}
    return frozenset(found)


@functools.cache
def ours(module: str) -> frozenset[str]:
    return frozenset(
        name
        for name in imports_of(module)
        if name in MODULES and name not in ("scenic_video", "projects", "scenic_video.commands")
    )


def package(module: str) -> str:
    """The entry of the table that a module belongs to, or "" if there is none."""
    parts = module.split(".")
    candidates = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in candidates if name in LAYERS), "")


EMPTY = {"scenic_video.data", "scenic_video.runs"}
"""Packages whose modules have layers of their own."""


def test_every_module_has_a_layer():
    framework = {m for m in MODULES if m.startswith("scenic_video.")} - EMPTY
    missing = {m for m in framework if not package(m)}
    assert not missing, "Name these in the table of CONTRIBUTING.md."


def test_the_table_names_what_is_there():
    there = {".".join(m.split(".")[:n]) for m in MODULES for n in range(1, 9)}
    assert set(LAYERS) <= there


def imports(*starts: str) -> list[tuple[str, str]]:
    """Pairs of a module of these packages and what it imports of this repository."""
    return [(m, imported) for m in MODULES if m.startswith(starts) for imported in ours(m)]


def libraries(module: str) -> set[str]:
    """The top-level packages that a module imports."""
    return {name.split(".")[0] for name in imports_of(module)}


def test_a_module_imports_only_what_stands_below_it():
    for module, imported in imports("scenic_video", "projects"):
        own, other = package(module), package(imported)
        allowed = not own or own == other or LAYERS[own] > LAYERS[other]
        assert allowed, f"{module} must not import {imported}"


def test_the_framework_imports_no_project():
    for module in FRAMEWORK:
        assert not libraries(module) & {"projects", "configs"}, module


def test_a_project_imports_no_other_project_and_no_task():
    for module, imported in imports("projects."):
        other = imported.startswith("projects.") and imported.split(".")[1] != module.split(".")[1]
        forbidden = other or imported.startswith("scenic_video.tasks")
        assert not forbidden, f"{module} must not import {imported}"


def test_configs_name_code_and_do_not_import_it():
    for module, imported in imports("configs."):
        allowed = imported.startswith("configs.") or imported == DATA_OF_CONFIGS
        assert allowed, f"{module} must not import {imported}"


def test_what_configs_may_import_imports_nothing_but_errors():
    assert ours(DATA_OF_CONFIGS) <= {"scenic_video.errors"}


def test_the_trainer_imports_no_concrete_task_model_or_dataset():
    for module in ("scenic_video.trainer", "scenic_video.loop"):
        allowed = "scenic_video.tasks.task"
        for name in ours(module):
            assert not name.startswith(("scenic_video.data", "scenic_video.layers"))
            assert not name.startswith("scenic_video.tasks.") or name == allowed


def all_but(*starts: str) -> list[str]:
    return [module for module in MODULES if not module.startswith(starts)]


def test_only_layers_and_models_import_linen():
    for module in all_but("configs", "scenic_video.layers"):
        if not module.endswith(".model"):
            assert not any(name.startswith("flax.linen") for name in imports_of(module)), module
            assert "from flax import linen" not in path_of(module).read_text(), module


def test_configs_and_flags_stay_in_commands():
    for module in all_but("configs", "scenic_video.commands", "scenic_video.cli"):
        assert "ml_collections" not in libraries(module), module


def test_a_users_error_is_raised_as_one():
    words = "raise scenic_video.errors.UserError: a plain ValueError is shown as a bug"
    for module in all_but("configs"):
        assert "raise ValueError" not in path_of(module).read_text(), f"{module}: {words}"


def test_commands_alone_print_and_read_flags():
    for module in all_but("scenic_video.commands", "scenic_video.cli"):
        calls = [node.func for node in nodes_of(module) if isinstance(node, ast.Call)]
        prints = any(isinstance(name, ast.Name) and name.id == "print" for name in calls)
        assert not prints, module
        assert "argparse" not in imports_of(module), module


def test_nothing_uses_pmap_or_tensorflow():
    for module in MODULES:
        assert "pmap" not in path_of(module).read_text(), module
        assert "tensorflow" not in libraries(module), module


def test_data_runs_on_the_host_without_jax():
    for module in MODULES:
        if module.startswith("scenic_video.data"):
            assert "jax" not in libraries(module), module


def test_importing_data_imports_no_jax():
    """Where Grain is not imported, which imports JAX itself."""
    grain = {"scenic_video.data.input.read_ahead", "scenic_video.data.input.batches"}
    data = [m for m in MODULES if m.startswith("scenic_video.data") and m not in grain]
    code = "import importlib, sys\n" + "\n".join(
        f"importlib.import_module({module!r})" for module in data
    )
    code += "\nassert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


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


MOST_PARAMETERS = 7
READER = "a reader of published data: the fields of a config's dataset node, one a choice"
MORE_PARAMETERS = {
    "scenic_video.data.synthetic.generation.dataset": READER,
    "scenic_video.data.published.lists.video_lists": READER,
    "scenic_video.data.published.epic_kitchens.epic_kitchens": READER,
    "scenic_video.data.published.audioset.audioset": READER,
    "scenic_video.data.published.activitynet.activitynet": READER,
    "scenic_video.layers.vision_transformer._encode": "what models of one base do differently",
    "scenic_video.layers.attention.attention": "the only attention of all models",
}
"""Functions of more parameters, self and cls not counted, and why."""


def wide_functions(module: str) -> set[str]:
    found = set()
    for node in nodes_of(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            names = {argument.arg for argument in every} - {"self", "cls"}
            if len(names) > MOST_PARAMETERS:
                found.add(f"{module}.{node.name}")
    return found


def test_functions_have_few_parameters_or_a_reason():
    assert {name for module in MODULES for name in wide_functions(module)} == set(MORE_PARAMETERS)


def test_a_folder_has_at_most_20_modules():
    for folder in {path_of(module).parent for module in MODULES}:
        assert len([p for p in folder.glob("*.py") if p.stem != "__init__"]) <= 20, folder


PARAMETERS_OF_PROJECTS = re.compile(
    r"TemporalTransformer|SpatialTransformer|global_encoder|cls_global|embedding_spectrogram"
    r"|Encoder_modality_token|Decoder_modality_token"
)


def test_the_framework_names_no_parameter_of_a_project():
    for module in FRAMEWORK:
        assert not PARAMETERS_OF_PROJECTS.findall(path_of(module).read_text()), module


OF_ONE_MODALITY = (
    "scenic_video.modalities",
    "scenic_video.data.flow",
    "scenic_video.data.preparation.flow",
    "scenic_video.data.sources.manifest",
    "scenic_video.data.synthetic",
    "scenic_video.commands.data.flow",
)
"""What is about a single modality, such as the files of optical flow and the column for them."""


def test_no_module_but_those_of_one_modality_names_any():
    names = {"rgb", "audio", "flow", "spectrogram", "waveform", "has_audio"}
    for module in FRAMEWORK:
        if not module.startswith(OF_ONE_MODALITY):
            texts = {node.value for node in nodes_of(module) if isinstance(node, ast.Constant)}
            assert not texts & names, module

"""Makes JAX strict before any test imports it, checks shapes of annotated functions, saves time."""

import gc
import importlib.metadata
import os

# Eight devices; and compiled fast rather than for speed, since tests run little and compile much:
# these take a sixth of the default's time.
FLAGS = [
    "--xla_force_host_platform_device_count=8",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_parallel_codegen_split_count=1",
]
if importlib.metadata.version("jaxlib").startswith("0.10."):
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")  # later versions do not know it
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

# Imports and tracing make many objects that live on. Collections of garbage, at the default of
# every 700, took a tenth of the time.
gc.set_threshold(100_000, 50, 10)

import jax  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook(["scenic_video", "projects"], "beartype.beartype")

pytest_plugins = (
    "tests.helpers.clip_fixtures",
    "tests.helpers.image_fixtures",
    "tests.helpers.run_fixtures",
)

# Files that take longest.
LONGEST = (
    "test_resume.py",
    "test_trainer.py",
    "test_trained_model.py",
    "test_state.py",
    "test_vivit_flops.py",
    "test_steps.py",
    "test_checkpoints.py",
    "test_avmae_pretrained.py",
    "test_ensemble.py",
    "test_freezing.py",
    "test_vivit.py",
    "test_classification_modalities.py",
)


def pytest_collection_modifyitems(items):
    """The longest files come first, so that at the end no worker waits long for another."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish():
    """Modules and tests live until the end: no collection of garbage goes through them."""
    gc.freeze()

"""Makes JAX strict before any test imports it, and checks shapes of annotated functions."""

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

import jax  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook(["scenic_video", "projects"], "beartype.beartype")

pytest_plugins = ("tests.helpers.clip_fixtures", "tests.helpers.run_fixtures")

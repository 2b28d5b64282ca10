"""Makes JAX strict before any test imports it, and checks shapes of annotated functions."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
# Eight devices; and compiled fast rather than for speed, since tests run little and compile much.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true",
)

import jax  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
install_import_hook(["scenic_video", "projects"], "beartype.beartype")

pytest_plugins = ("tests.helpers.clip_fixtures", "tests.helpers.run_fixtures")

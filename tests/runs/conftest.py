"""Runs of these tests are often of one config: equal programs are compiled once a process."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module", autouse=True)
def compiled_once(programs):
    """Only here, since tests elsewhere need the cost of a program, which its file does not hold."""
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    keep_programs_in(str(programs))
    yield
    keep_programs_in(None)


def keep_programs_in(folder):
    jax.config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()

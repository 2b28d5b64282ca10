"""Joins the processes of a run on several hosts, or on one with a process per device."""

import argparse

import jax

from scenic_video.commands import flags
from scenic_video.config import ConfigError
from scenic_video.field_types import Count, PositiveInt

EXAMPLES = """\
On several hosts, run the same command on each. With --distributed, JAX finds the other hosts itself
under SLURM and Open MPI, on TPU pods and in Kubernetes jobs; elsewhere give all three of:
  --coordinator=host0:1234 --num-processes=2 --process-id=0      (and 1 on the other host)
"""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that `join` reads."""
    group = parser.add_argument_group("several hosts")
    group.add_argument("--distributed", action="store_true", help="let JAX find the other hosts")
    group.add_argument("--coordinator", help="address of process 0, as host:port")
    group.add_argument(
        "--num-processes", type=flags.number(PositiveInt), help="number of processes"
    )
    group.add_argument(
        "--process-id", type=flags.number(Count), help="index of this process, from 0"
    )


def join(arguments: argparse.Namespace) -> None:
    """Connects to the other processes, if the flags name any. Call it before any computation.

    Errors: ConfigError for incomplete flags, or if JAX finds another number of processes.
    """
    address = (arguments.coordinator, arguments.num_processes, arguments.process_id)
    if arguments.coordinator is not None:
        if None in address:
            raise ConfigError("--coordinator also needs --num-processes and --process-id.")
        jax.distributed.initialize(*address)
    elif arguments.process_id is not None:
        raise ConfigError("--process-id needs --coordinator.")
    elif arguments.distributed:
        jax.distributed.initialize()
    if arguments.num_processes not in (None, jax.process_count()):
        raise ConfigError(
            f"--num-processes={arguments.num_processes}, but JAX found {jax.process_count()}. With "
            "--distributed, check that the scheduler started all of them."
        )

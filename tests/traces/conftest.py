"""A trace of each kind of machine, small."""

import jax
import pytest

from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.making import trace

COPY = Copy(width=3)


@pytest.fixture(scope="session")
def ntm():
    config = NTMConfig(
        controller=ControllerConfig(hidden=6), memory_rows=7, memory_columns=4, read_heads=2
    )
    return config.build(COPY.input_size, COPY.output_size, key=jax.random.key(0))


@pytest.fixture(scope="session")
def ntm_trace(ntm):
    return trace(ntm, COPY, 3, 5, source="zoo:it", recipe="ntm-copy")


@pytest.fixture(scope="session")
def nram_trace(access_machine):
    return trace(access_machine, Access(), 4, 5)

"""Machines to serve, and the built page where there is one."""

import dataclasses
import re
import threading

import pytest

from softmachine.experiments.curricula import Uniform
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.recipes import get_recipe
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer import server
from softmachine.viewer.machines import Served


def small(recipe, task, machine, largest):
    experiment = get_recipe(recipe)
    curriculum = Uniform(smallest=task.smallest, largest=largest)
    training = dataclasses.replace(
        experiment.training, curriculum=curriculum, memory_rows=(), solved=None, phases=()
    )
    return dataclasses.replace(experiment, task=task, machine=machine, training=training)


@pytest.fixture(scope="session")
def served():
    """An NTM with two checkpoints, and an NRAM."""
    config = NTMConfig(controller=ControllerConfig(hidden=6), memory_rows=8, memory_columns=4)
    ntm = small("ntm-copy", Copy(width=2), config, 3)
    nram = small(
        "nram-access",
        get_recipe("nram-access").task,
        NRAMConfig(registers=2, gates=("READ", "ONE", "WRITE")),
        3,
    )
    first, later = (ntm.build_machine(attempt) for attempt in (0, 1))
    return [
        Served("small ntm", ntm, {"20": ("after 20 sequences", lambda: first),
                                  "best": ("best", lambda: later)}),
        Served("small nram", nram, {"best": ("best", nram.build_machine)}),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def trace_file(served):
    return served[0].drawn("best", 2, 0)


@pytest.fixture(scope="session")
def ntm_trace(trace_file):
    return trace_from_bytes(trace_file)


@pytest.fixture(scope="module")
def address(served, trace_file):
    """The real server, on a port of its own, in a thread."""
    told, started, servers = [], threading.Event(), []

    class Watched(server.Server):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            servers.append(self)

    def announce(text):
        told.append(text)
        started.set()

    def run():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "Server", Watched)
            server.serve(served, [("it", trace_file)], open_browser=False, announce=announce)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(60)
    yield re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]{32})", told[0])
    servers[0].should_exit = True
    thread.join(60)
    assert not thread.is_alive()

"""Barriers hold, with options that XLA knows; compiled programs do not become ever more."""

import dataclasses
import gc
import re
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import softmachine
from softmachine.core import compiling
from softmachine.experiments.state import first_state
from softmachine.recipes import get_recipe
from softmachine.tasks.sequences.copy import Copy
from softmachine.traces.recording import record
from softmachine.training.members import MemberStates


def work(x, name="two"):
    return jax.lax.optimization_barrier(2 * x) + len(name)


def test_barriers_are_kept():
    """By the time that XLA is done."""
    program = jax.jit(work, compiler_options=compiling.options()).lower(jnp.ones(3)).compile()
    assert "opt-barrier" in program.as_text()


def test_options_that_xla_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setitem(compiling.ON_CPU, "xla_there_is_no_such_option", True)
    compiling.options.cache_clear()
    try:
        assert compiling.options() == {
            name: value for name, value in compiling.ON_CPU.items() if "no_such" not in name
        }
    finally:
        compiling.options.cache_clear()


def test_functions_are_compiled_with_them():
    function = compiling.filter_jit(work)
    arrays, static = eqx.partition(((jnp.ones(3), "three"), {}), eqx.is_array)
    program = compiling._program(work, arrays, static, tuned=True)
    assert "opt-barrier" in program.run.lower(arrays).compile().as_text()
    assert float(function(jnp.ones(()), "three")) == 7
    assert float(function(jnp.ones(()), name="seven")) == 7
    assert float(jax.grad(function)(3.0)) == 2  # traced by somebody else


def test_what_runs_once_is_compiled_in_little_time(monkeypatch):
    both = [compiling.options(tuned=tuned) for tuned in (True, False)]
    given = []
    monkeypatch.setattr(jax, "jit", lambda run, **options: given.append(options) or run)
    for tuned in (True, False):
        compiling._Program(work, ((), {}), tuned)
    assert [options["compiler_options"] for options in given] == both
    assert both[1] == {"xla_backend_optimization_level": 0}
    assert "xla_backend_optimization_level" not in both[0]


@compiling.filter_jit
def shape_and_sum(x, kind):
    return {"kind": kind, "shape": x.shape, "sum": jnp.sum(x)}


def test_what_is_no_array_is_known_beforehand_and_given_back():
    for count in (2, 3, 2):
        found = shape_and_sum(np.ones(count), "row")
        assert found == {"kind": "row", "shape": (count,), "sum": count}
    assert shape_and_sum(np.ones(2), "column")["kind"] == "column"


@pytest.fixture
def few_programs(monkeypatch):
    monkeypatch.setattr(compiling, "MOST_PROGRAMS", 4)


def maps():
    gc.collect()
    count = compiling.memory_maps()
    if not count:
        pytest.skip("this system does not tell memory maps")
    return count


@pytest.mark.usefixtures("few_programs")
def test_programs_that_were_used_last_are_kept():
    traced = []

    @compiling.filter_jit
    def count(x):
        traced.append(len(x))
        return x + 1

    for length in (1, 2, 3, 4, 1, 5, 1, 3, 2):
        np.testing.assert_array_equal(count(np.zeros(length)), 1)
    assert traced == [1, 2, 3, 4, 5, 2]


def test_a_process_that_meets_many_sizes_stays_as_it_is(monkeypatch, access_machine):
    """The review's case: each size of an NRAM was hundreds of memory maps more."""
    monkeypatch.setattr(compiling, "MOST_PROGRAMS", 2)
    counts = []
    for cells in (4, 5, 6, 7):
        record(access_machine, [3, *range(1, cells)], steps=2)
        counts.append(maps())
    growth = counts[1] - counts[0]
    assert growth > 50
    assert counts[3] < counts[1] + growth  # unbounded, it would be twice that


def test_nothing_else_in_the_package_compiles():
    """But for the loop of updates, which belongs to its trainer and goes with it.

    ``parts/linear.py`` and ``scan.py`` mark calls inside of other programs; none of their own
    is compiled.
    """
    home = Path(softmachine.__file__).parent
    found = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*.py")
        if re.search(r"jax\.(jit|pmap)\b|eqx\.filter_jit|equinox\.filter_jit", path.read_text())
    }
    assert found == {
        "core/compiling.py",
        "machines/parts/linear.py",
        "running/scan.py",
        "running/interpreter.py",
        "training/update.py",
    }


@pytest.mark.usefixtures("own_programs")
def test_a_loop_of_updates_goes_with_its_trainer():
    experiment = get_recipe("lstm-copy")
    controller = dataclasses.replace(experiment.machine.controller, hidden=4, layers=1)
    machine = dataclasses.replace(experiment.machine, controller=controller)
    experiment = dataclasses.replace(experiment, machine=machine, task=Copy(width=2))

    def train():
        states = MemberStates(experiment, [first_state(experiment)])
        states.advance([0], 2)
        return maps()

    train()
    before = maps()
    while_training = train()
    assert while_training > before + 30
    assert maps() < before + 30


def test_too_many_memory_maps_are_given_back(monkeypatch):
    @compiling.filter_jit
    def double(x):
        return 2 * x

    one = np.asarray(double(np.ones(3)))
    kept = [jax.jit(lambda x, n=n: jnp.sin(x) * n) for n in range(30)]  # nobody counts these
    for function in kept:
        function(np.ones(3))
    before = maps()
    monkeypatch.setattr(compiling, "MOST_MAPS", before - 1)
    np.testing.assert_array_equal(double(np.ones(4))[:3], one)
    assert maps() < before - 30
    np.testing.assert_array_equal(double(np.ones(3)), one)
    np.testing.assert_allclose(kept[2](np.ones(3)), 2 * np.sin(1), rtol=1e-6)

"""Evaluation at any size."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import Cell
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.ntm.presets import NTM_PRESETS
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.running.generalization import evaluate
from softmachine.running.scoring import build_scorer
from softmachine.tasks.sequences.copy import Copy

TASK = Copy(width=3)


class PerfectCopier(Cell):
    """Keeps all it sees in a queue; wrong in one given channel, if any."""

    flaw: int | None = eqx.field(static=True, default=None)

    def init_state(self, inputs, *, key=None):
        del inputs, key
        return jnp.zeros((64, 3)), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)

    def advance(self, state, x, clock):
        del clock
        queue, written, read = state
        # `read` counts the steps since the delimiter.
        delimiter = x[-1] > 0
        read = jnp.where(delimiter, 1, jnp.where(read > 0, read + 1, 0))
        output = 40.0 * (queue[jnp.maximum(read - 2, 0)] - 0.5)
        if self.flaw is not None:
            output = output.at[self.flaw].multiply(-1)
        storing = (read == 0) & ~delimiter
        queue = jnp.where(storing, queue.at[written].set(x[:-1]), queue)
        return (queue, written + storing, read), output


@pytest.fixture(scope="module")
def machine():
    config = NTMConfig(
        controller=ControllerConfig(hidden=8),
        memory_rows=16,
        memory_columns=4,
        initial_weightings="first-row",
    )
    return config.build(TASK.input_size, TASK.output_size, key=jax.random.key(0))


def test_a_perfect_machine_scores_perfectly_at_every_size():
    for score in evaluate(PerfectCopier(), TASK, [1, 7, 33, 60], sequences=30):
        assert score.metrics["wrong_bits"] == 0
        assert score.metrics["perfect"] == 1
        assert score.metrics["bits"] < 1e-3


def test_a_machine_wrong_in_one_channel_scores_exactly_that():
    for score in evaluate(PerfectCopier(flaw=1), TASK, [1, 7, 33], sequences=30):
        assert score.metrics["wrong_bits"] == pytest.approx(score.size, rel=1e-6)
        assert score.metrics["perfect"] == 0


def test_scores_of_a_size_do_not_depend_on_the_company(machine):
    together = evaluate(machine, TASK, [3, 5, 9], sequences=20)
    alone = evaluate(machine, TASK, [5], sequences=20)
    assert together[1] == alone[0]
    assert evaluate(machine, TASK, [5], sequences=20, seed=1) != alone


def test_scorer_gives_one_value_per_example_whatever_the_blocks(machine):
    score = build_scorer(TASK, 4)
    sizes = jnp.asarray([1, 2, 3, 4] * 40)
    whole = score(machine, jax.random.key(1), sizes)
    part = score(machine, jax.random.key(1), sizes[:10])
    np.testing.assert_allclose(whole["bits"][:10], part["bits"], rtol=1e-5)
    assert whole["wrong_bits"].shape == (160,)


def test_memory_grows_on_demand(machine):
    with pytest.raises(
        SoftmachineError, match=r"size 20 needs 20 memory rows.*--memory-rows 20"
    ):
        evaluate(machine, TASK, [20], sequences=5)
    assert evaluate(machine, TASK, [20], sequences=5, memory_rows=32)[0].size == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": [0]}, "sizes of this task must be at least 1, not 0"),
        ({"sizes": [True]}, "sizes must be whole numbers, not True"),
        ({"sizes": [3], "sequences": 0}, "sequences must be at least 1"),
    ],
)
def test_impossible_requests(machine, arguments, message):
    with pytest.raises(SoftmachineError, match=message):
        evaluate(machine, TASK, **arguments)


def test_memory_that_cannot_grow():
    config = NTM_PRESETS["pytorch-ntm"]
    fixed = config.build(TASK.input_size, TASK.output_size, key=jax.random.key(0))
    with pytest.raises(SoftmachineError, match="cannot be resized from 128 to 256 rows"):
        evaluate(fixed, TASK, [3], memory_rows=256)
    controller = ControllerConfig(hidden=4)
    lstm = RecurrentConfig(controller=controller).build(4, 3, key=jax.random.key(0))
    with pytest.raises(SoftmachineError, match="no memory whose rows"):
        evaluate(lstm, TASK, [3], memory_rows=256)
    assert evaluate(lstm, TASK, [300], sequences=2)[0].size == 300


def test_scores_say_how_exact_their_means_are(machine):
    (few,) = evaluate(machine, TASK, [3], sequences=50)
    (many,) = evaluate(machine, TASK, [3], sequences=800)
    assert few.standard_errors.keys() == few.metrics.keys()
    ratio = few.standard_errors["bits"] / many.standard_errors["bits"]
    assert 2 < ratio < 8  # the root of 16
    assert abs(few.metrics["bits"] - many.metrics["bits"]) < 5 * few.standard_errors["bits"]

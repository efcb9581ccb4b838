"""Controllers with a state: what is seen of them, and programs from that."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.nram.controller import Dense
from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
from softmachine.programs.extraction import extract
from softmachine.programs.notes import Provenance, notes
from softmachine.programs.observed import MOST_CONTROLLER_STATES, Edge, fold, observe
from softmachine.programs.verification import verify
from softmachine.tasks.memories.arrays import Increment

GATES = ("READ", "INC", "WRITE")
PHASES = (
    {"READ a": "r1", "INC a": "READ", "WRITE a": "r1", "WRITE b": "INC", "r1": "r1"},
    {"READ a": "r1", "INC a": "r1", "WRITE a": "r1", "WRITE b": "READ", "r1": "INC"},
)
"""One adds to a cell, the other goes to the next; registers do not tell which is due."""


@pytest.fixture(scope="module")
def machine():
    """A GRU whose one unit that matters changes its sign at every step, and so the phase."""
    config = NRAMConfig(
        registers=1, gates=GATES, controller=NRAMControllerConfig(kind="gru", hidden=2)
    )
    machine = jax.tree.map(jnp.zeros_like, config.build(key=jax.random.key(0)))
    hidden = config.controller.hidden
    # Reset 1, update 0: the next hidden state is tanh(2.5 - 5 h).
    below = jnp.repeat(jnp.array([20.0, -20.0, 2.5]), hidden)
    recurrent = jnp.zeros((3 * hidden, hidden)).at[2 * hidden, 0].set(-5.0)
    slots = ["r1", *GATES]
    weight, bias = (
        np.zeros((machine.rows.logit_count, hidden)),
        np.zeros(machine.rows.logit_count),
    )
    order = machine.rows.logit_numbers
    for row, name in enumerate(machine.rows.names):
        if name not in PHASES[0]:
            continue
        for sign, phase in zip((1, -1), PHASES, strict=True):
            place = order[row, slots.index(phase[name])]
            weight[place, 0] += 10 * sign
            bias[place] += 10
    return eqx.tree_at(
        lambda m: (m.controller.below, m.controller.recurrent, m.output, m.stop.bias),
        machine,
        (
            Dense(jnp.zeros((3 * hidden, hidden)), below),
            Dense(recurrent, jnp.zeros(3 * hidden)),
            Dense(jnp.asarray(weight, jnp.float32), jnp.asarray(bias, jnp.float32)),
            jnp.full(1, -20.0),
        ),
    )


def test_states_are_those_that_differ(machine):
    """Two, in turn, whatever the register holds."""
    states = fold(observe(machine, Increment()))
    assert [{edge.after for edge in state.values()} for state in states] == [{1}, {0}]
    assert all(len({edge.choice for edge in state.values()}) == 1 for state in states)


def test_the_program_does_what_the_machine_does(machine):
    """On examples larger than those that were watched; Python and C."""
    program = extract(machine, Increment())
    report = verify(machine, Increment(), program, inputs=400, sizes=())
    equal = [check for check in report.checks if "equal to" in check.what]
    assert all(check.counterexample is None for check in equal)
    assert any("examples in memories" in check.what for check in equal)
    assert not any(check.how == "proven" for check in report.checks)
    text = " ".join(notes(program, Increment(), Provenance("x", "y", 0, None), report))
    assert "observed on 1,000 examples, not proven" in text
    assert "follow from the circuits" not in text


def played(automaton, rng, count, length):
    """Return the tree of what an automaton did on random sequences of patterns."""
    tree = [{}]
    for _ in range(count):
        state = place = 0
        for pattern in rng.integers(0, len(automaton[0]), length).tolist():
            choice, state = automaton[state][pattern]
            if pattern not in tree[place]:
                tree[place][pattern] = Edge(((choice,), False), len(tree))
                tree.append({})
            place = tree[place][pattern].after
    return tree


@pytest.mark.parametrize("seed", range(6))
def test_folded_histories_do_what_they_did(seed):
    """Random automata of 4 states and 3 patterns; with enough of them, on new ones, too."""
    rng = np.random.default_rng(seed)
    automaton = [
        [(int(rng.integers(3)), int(rng.integers(4))) for _ in range(3)] for _ in range(4)
    ]
    states = fold(played(automaton, rng, 500, 12))
    assert len(states) <= 4
    for _ in range(200):
        mine = theirs = 0
        for pattern in rng.integers(0, 3, 30).tolist():
            choice, theirs = automaton[theirs][pattern]
            edge = states[mine][pattern]
            assert edge.choice == ((choice,), False)
            mine = edge.after


def test_without_a_pattern_in_it_a_controller_is_refused():
    rng = np.random.default_rng(0)
    tree = [{0: Edge(((int(rng.integers(1000)),), False), i + 1)} for i in range(500)]
    with pytest.raises(SoftmachineError, match=f"more than {MOST_CONTROLLER_STATES} states"):
        fold([*tree, {}])

"""Wires compiled into weights: the same choices for every pattern, soft and hard."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.machines.machine import split_trainable
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs.extraction import extract
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.json import json_code
from softmachine.programs.languages.python import python_code
from softmachine.wiring.circuit_text import parse_circuits
from softmachine.wiring.compiling import compile_wiring, wiring_from_json, wiring_to_json
from softmachine.wiring.table import WiringTable, read_wiring, run_wiring
from softmachine.zoo.models import open_model

TASKS = (
    *("access", "copy", "increment", "list-k", "list-search"),
    *("merge", "permutation", "reverse", "swap", "walk-bst"),
)
GATES = ("READ", "ONE", "INC", "LESS-THAN", "MAX", "WRITE")


def random_table(seed, registers, gates=GATES, circuits=3):
    rng = np.random.default_rng(seed)
    config = NRAMConfig(registers=registers, gates=gates)
    bounds = np.maximum(config.rows.sources, 1)
    few = rng.integers(0, bounds, (circuits, len(bounds)))
    some = rng.integers(0, circuits, 2**registers)
    stop = rng.random(circuits) < 0.2
    return config, WiringTable(few[some], stop[some])


def same_choices(config, one, other):
    chosen = config.rows.sources > 0
    np.testing.assert_array_equal(one.sources[:, chosen], other.sources[:, chosen])
    np.testing.assert_array_equal(one.stop, other.stop)


@pytest.mark.parametrize("seed", range(12))
def test_every_choice_for_every_pattern_is_the_tables(seed):
    config, table = random_table(seed, 1 + seed % 5, circuits=1 + seed % 4)
    same_choices(config, read_wiring(compile_wiring(config, table)), table)


@pytest.mark.parametrize("seed", range(4))
def test_the_soft_machine_does_what_the_table_says_in_all_small_memories(seed):
    config, table = random_table(seed, 2)
    table = table._replace(stop=np.zeros_like(table.stop))
    machine = compile_wiring(config, table)
    steps = 4
    memories = np.array([*itertools.product(range(3), repeat=3)])
    wanted = run_wiring(config, table, memories, np.full(len(memories), steps)).memories

    def soft(memory):
        state = machine.init_state(memory)
        return jax.lax.scan(lambda s, _: (machine.advance(s)[0], None), state, length=steps)[0]

    after = jax.jit(jax.vmap(soft))(jnp.asarray(memories, jnp.int32)).memory
    np.testing.assert_allclose(after, jax.nn.one_hot(wanted, 3), atol=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_the_papers_tasks_come_back_exactly(name):
    model = open_model(f"nram-{name}")
    machine, task = model.machine, model.experiment.task
    table = read_wiring(machine)
    text = json.dumps(wiring_to_json(machine.config, table))
    compiled = compile_wiring(*wiring_from_json(json.loads(text)))
    same_choices(machine.config, read_wiring(compiled), table)
    programs = [extract(machine, task), extract(compiled, task)]
    for write in (python_code, c_code, json_code):
        one, other = (write(program, "A program.", []) for program in programs)
        assert one == other


def test_with_less_it_is_in_doubt_and_chooses_the_same():
    config, table = random_table(3, 3)
    machine = compile_wiring(config, table, decided=0.5)
    same_choices(config, read_wiring(machine), table)
    wiring = machine.control(machine.init_state(jnp.zeros(4, jnp.int32)))[1]
    shares = [float(jnp.max(choice)) for choice in wiring.choices.values() if len(choice) > 1]
    assert max(shares) < 0.75
    sharp = compile_wiring(config, table)
    wiring = sharp.control(sharp.init_state(jnp.zeros(4, jnp.int32)))[1]
    assert all(float(jnp.max(choice)) == 1 for choice in wiring.choices.values())
    assert jax.tree.structure(split_trainable(machine)[0]) == jax.tree.structure(
        split_trainable(sharp)[0]
    )


def test_a_table_by_hand_says_what_differs():
    config, table = wiring_from_json(
        {
            "registers": 2,
            "gates": ["READ", "INC", "WRITE"],
            "circuits": [
                {"patterns": ["1-"], "wires": {"r1": "INC", "WRITE b": "READ"}, "stop": True},
                {"patterns": ["--"], "wires": {"READ a": "r2"}},
            ],
        }
    )
    names = dict(zip(config.rows.names, table.sources.T, strict=True))
    # Patterns have r1 as the lowest bit.
    assert names["r1"].tolist() == [0, 3, 0, 3]
    assert names["r2"].tolist() == [1, 1, 1, 1]
    assert names["READ a"].tolist() == [1, 0, 1, 0]
    assert table.stop.tolist() == [False, True, False, True]


GOOD = {
    "registers": 1,
    "gates": ["READ", "WRITE"],
    "circuits": [{"patterns": ["-"], "wires": {}}],
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gates": ["NAND"]}, "NAND"),
        ({"registers": 0}, "registers"),
        ({"registers": 40}, "at most 12 registers"),
        ({"circuits": []}, "no circuit is for pattern"),
        ({"circuits": [{"patterns": ["1"], "wires": {}}]}, "no circuit is for pattern 0"),
        (
            {"circuits": [{"patterns": ["11"], "wires": {}}]},
            "circuit 1: pattern '11' has to be 1",
        ),
        ({"circuits": [{"patterns": ["-"], "wires": {"r9": "r1"}}]}, "no row 'r9'"),
        (
            {"circuits": [{"patterns": ["-"], "wires": {"READ a": "WRITE"}}]},
            "READ a cannot take 'WRITE', but r1",
        ),
        ({"circuits": [{"patterns": ["-"], "wires": {}, "stop": 1}]}, "stop is 1"),
        ({"circuits": [{"wires": {}}]}, "circuit 1: 'patterns' is missing"),
    ],
)
def test_malformed_tables_are_refused(change, words):
    with pytest.raises(SoftmachineError, match=words):
        wiring_from_json(GOOD | change)


def test_tables_that_do_not_fit_the_gates_are_refused():
    config, table = random_table(0, 2)
    with pytest.raises(SoftmachineError, match="4 patterns of zeros"):
        compile_wiring(config, WiringTable(table.sources[:2], table.stop[:2]))
    with pytest.raises(SoftmachineError, match="asks for number 99"):
        compile_wiring(config, WiringTable(table.sources * 0 + 99, table.stop))


# --- circuits as text -----------------------------------------------------------------------

TEXT = """
registers 2
gates READ MAX INC WRITE      # in the order in which they work

when r1 == 0 and r2 != 0:
    r2 = READ(r1)
    stop
else:
    WRITE(r1, MAX(READ(r1), r2))
    r2 = MAX(READ(r1), r2)
    r1 = INC(r1)
"""


def test_a_text_becomes_the_table_that_it_describes():
    config, table = parse_circuits(TEXT)
    memories = np.array([[3, 1, 4, 1, 2]])
    ran = run_wiring(config, table, memories, np.array([5]))
    assert ran.memories.tolist() == [[3, 3, 4, 4, 4]]
    names = dict(zip(config.rows.names, table.sources.T, strict=True))
    only = 1  # r1 is 0, r2 is not
    assert table.stop.tolist() == [False, True, False, False]
    assert names["r1"][only] == 0
    # What no line says is written: what is there.
    assert (names["WRITE a"][only], names["WRITE b"][only]) == (0, 2)
    same_choices(config, read_wiring(compile_wiring(config, table)), table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: there is no circuit"),
        ("registers 2\nelse:\n  r1 = r2", "gates are missing"),
        ("registers two", "line 1: registers takes one number"),
        ("registers 99", "line 1: from 1 to 12 registers"),
        ("gates READ\nelse:", "line 2: first say how many"),
        ("registers 1\nloops 3", "line 2: 'loops' begins nothing"),
        ("registers 1\n  r1 = r1", "line 2: there is no when or else"),
        ("registers 1\nwhen r2 == 0:", "line 2: 'r2 == 0' is no test"),
        ("registers 1\nif r1:", "line 2: expected when"),
        ("registers 1\ngates INC\nelse:\n  r2 = INC(r1)", "line 4: there is no register r2"),
        ("registers 1\ngates INC\nelse:\n  r1 = DEC(r1)", "line 4: there is no gate DEC"),
        ("registers 1\ngates INC\nelse:\n  r1 = INC(INC(r1))", "line 4: INC is used already"),
        (
            "registers 1\ngates INC ADD\nelse:\n  r1 = INC(ADD(r1, r1))",
            "line 4: INC comes before",
        ),
        ("registers 1\ngates ADD\nelse:\n  r1 = ADD(r1)", "line 4: ADD takes 2 arguments"),
        ("registers 1\ngates ADD\nelse:\n  r1 = ADD(r1,", "line 4: .* is no expression"),
        ("registers 1\ngates ADD\nelse:\n  print(r1)", "line 4: expected WRITE"),
        ("registers 1\ngates WRITE\nelse:\n  r1 = r1", "line 3: WRITE works in every step"),
        (
            "registers 1\ngates INC\nwhen r1 == 0:\n  r1 = INC(r1)",
            "nothing is said for r1 != 0",
        ),
    ],
)
def test_malformed_texts_are_refused_by_line(text, words):
    with pytest.raises(SoftmachineError, match=words):
        parse_circuits(text)


def test_comparisons_and_two_gates_of_a_name():
    text = """
registers 2
gates READ READ LESS-THAN WRITE
else:
    r2 = LESS-THAN(READ(r1), READ(r2))
    WRITE(r1, READ(r1))
"""
    config, table = parse_circuits(text)
    names = dict(zip(config.rows.names, table.sources[0], strict=True))
    assert (names["READ a"], names["READ 2 a"]) == (0, 1)
    assert (names["LESS-THAN a"], names["LESS-THAN b"]) == (2, 3)

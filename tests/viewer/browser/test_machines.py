"""Machines that the page runs by itself, from a file, beside the same machines in Python."""

import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import expect

from softmachine.machines.nram.controller import NRAMControllerConfig
from softmachine.machines.nram.hard import run_hard_batch
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import StackRNNConfig
from softmachine.programs.automata.reading import read
from softmachine.programs.extraction import extract
from softmachine.programs.languages.python import python_code
from softmachine.programs.notes import Provenance
from softmachine.programs.running import load_python
from softmachine.recipes import get_recipe
from softmachine.running.generalization import with_room_for
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.traces.making import trace
from softmachine.traces.page import page
from softmachine.viewer.live_file import Living, live_page

from ...programs.test_stack_automata import wired
from ..conftest import small
from .conftest import of_zoo

CONTROLLERS = {
    "lstm": ControllerConfig(hidden=6, layers=2),
    "counter": ControllerConfig(kind="counter", hidden=5, layers=2),
    "gru": ControllerConfig(kind="gru", hidden=5, layers=2),
    "rnn": ControllerConfig(kind="rnn", hidden=5, layers=2, activation="sigmoid"),
    "feedforward": ControllerConfig(kind="feedforward", hidden=5, layers=2, activation="relu"),
    "mixed": ControllerConfig(kinds=("feedforward", "lstm"), hidden=5),
}
NTMS = {
    "write-read": NTMConfig(controller=CONTROLLERS["lstm"], memory_rows=9, memory_columns=4),
    "read-write": NTMConfig(
        controller=CONTROLLERS["gru"], memory_rows=9, memory_columns=4, order="read-write",
        read_heads=2, write_heads=2, write_composition="sequential", key_activation="tanh",
        initial_memory="random", initial_memory_range=(-0.1, 0.1), initial_reads="random",
    ),
    "address-write-read": NTMConfig(
        controller=CONTROLLERS["rnn"], memory_rows=9, memory_columns=4, shifts=5,
        order="address-write-read", output_from="reads", add_activation="sigmoid",
        similarity_smoothing=0.0, similarity_epsilon=1e-8, initial_reads="learned",
        sharpening_smoothing=1e-16, initial_memory="learned", initial_memory_range=(0.0, 1.0),
    ),
    "alternate": NTMConfig(
        controller=CONTROLLERS["feedforward"], memory_rows=9, memory_columns=4, read_heads=2,
        write_heads=1, order="alternate", wrap=False, output_from="controller",
        initial_weightings="first-row", head_clip=None, sharpening_factor=2.0,
    ),
    "hard": NTMConfig(
        controller=CONTROLLERS["counter"], memory_rows=9, memory_columns=4, hard=True,
        feed_reads=False,
    ),
    "mixed": NTMConfig(controller=CONTROLLERS["mixed"], memory_rows=9, memory_columns=4),
}  # fmt: skip
GATES = (
    "READ", "ZERO", "ONE", "TWO", "INC", "ADD", "SUB", "DEC", "LESS-THAN",
    "LESS-OR-EQUAL-THAN", "EQUALITY-TEST", "MIN", "MAX", "WRITE",
)  # fmt: skip
NRAMS = {
    "mlp": NRAMConfig(registers=3, gates=GATES, controller=NRAMControllerConfig(hidden=8)),
    "lstm": NRAMConfig(
        registers=3, gates=(*GATES, "READ", "WRITE"), write_returns="value",
        controller=NRAMControllerConfig(kind="lstm", hidden=8),
    ),
    "gru": NRAMConfig(
        registers=2, gates=("INC", "READ", "WRITE"), logit_clip=0.4,
        controller=NRAMControllerConfig(kind="gru", hidden=8),
    ),
}  # fmt: skip
STACKS = {
    "stack": StackRNNConfig(memory_rows=12),
    "list": StackRNNConfig(memory="list", stacks=3, read_rows=4, memory_rows=12, stay=True),
    "vectors": StackRNNConfig(
        controller=CONTROLLERS["rnn"], stacks=2, memory_rows=12, memory_columns=3, read_rows=2,
        stay=True, push_activation="tanh", empty=0.0, output_activation="relu", biases=True,
        first_weights="glorot", hard=True,
    ),
}  # fmt: skip


def living(name, recipe, config, task=None):
    task = get_recipe(recipe).task if task is None else task
    experiment = small(recipe, task, config, 3)
    return Living(
        name, experiment, experiment.build_machine(1), Provenance(name, recipe, 0, None)
    )


def run(page, number, size=None, seed=0, inputs=None):
    """Run the page's machine of a number; return what it recorded, by part and name."""
    return page.evaluate(
        """([number, request]) => {
            const trace = window.softmachine[number].run(request);
            const lists = (fields) => Object.fromEntries(
                [...fields].map(([name, x]) => [name, Array.from(x.data)]));
            return {
                fields: lists(trace.fields), example: lists(trace.example),
                hard: trace.hard && lists(trace.hard.fields), scores: trace.scores,
                stopped: trace.hard && trace.hard.stoppedAfter, length: trace.length,
                initial: Object.fromEntries([...trace.fields].flatMap(
                    ([name, x]) => (x.initial ? [[name, Array.from(x.initial)]] : []))),
                labels: trace.axes.get("cell")?.labels ?? null, pointers: trace.pointers,
            };
        }""",
        [number, {"size": size, "seed": seed, "input": inputs}],
    )


def close(found, expected, what):
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        np.array(found, float).reshape(expected.shape), expected, 1e-5, 1e-5, err_msg=what
    )


def check(page, number, living, size, seed=0, inputs=None):
    """Compare a run in the page with the same one in Python: all that a trace holds."""
    task = living.experiment.task.held_out(larger=True)
    machine = living.machine if size is None else with_room_for(living.machine, task, size)
    made = trace(machine, task, size, seed, inputs=inputs)
    found = run(page, number, size, seed, inputs)
    assert found["length"] == made.header.length
    assert found["fields"].keys() == made.fields.keys()
    for name, expected in made.fields.items():
        close(found["fields"][name], expected, f"{living.name} {name}")
    for name, expected in made.initial.items():
        close(found["initial"][name], expected, f"{living.name} first {name}")
    for name, expected in made.example.items():
        close(found["example"][name], expected, f"{living.name} {name}")
    if made.header.hard is not None:
        assert found["stopped"] == made.header.hard.stopped_after
        for name, expected in made.hard.items():
            assert found["hard"][name] == expected.reshape(-1).tolist(), (living.name, name)
    error = made.header.error
    scores = dict(found["scores"])
    assert scores.keys() <= made.header.scores.keys()
    for name, x in scores.items():
        assert x == pytest.approx(made.header.scores[name]), (living.name, name)
    assert (error in scores) == (error in made.header.scores)
    return found, made


def open_live(new_page, tmp_path, machines):
    page = new_page(reduced_motion="reduce")
    path = tmp_path / "live.html"
    path.write_text(live_page(machines), encoding="utf-8")
    page.goto(path.as_uri())
    expect(page.locator("output.count")).to_be_visible()
    return page


def test_machines_of_every_kind_are_those_of_python(new_page, tmp_path):
    an_bn = CountingLanguage(language="an-bn", sizes="up-to", strings=2)
    machines = [
        *(
            living(name, "ntm-copy", config, get_recipe("ntm-copy").task)
            for name, config in NTMS.items()
        ),
        *(living(name, "nram-increment", config) for name, config in NRAMS.items()),
        *(living(name, "stack-rnn-an-bn", config, an_bn) for name, config in STACKS.items()),
    ]
    page = open_live(new_page, tmp_path, machines)
    for number, one in enumerate(machines):
        check(page, number, one, 3)


@pytest.mark.parametrize("name", ["ntm-copy", "ntm-ff-recall"])
def test_trained_ntms_are_those_of_python(new_page, tmp_path, name):
    one = of_zoo(name)
    page = open_live(new_page, tmp_path, [one])
    trained = one.experiment.training.curriculum.largest
    for size in (one.experiment.task.smallest, trained):
        check(page, 0, one, size)


MEMORIES = ("nram-copy", "nram-reverse", "nram-increment", "nram-access", "nram-swap")


def test_hard_machines_and_programs_are_those_of_python_bit_for_bit(new_page, tmp_path):
    machines = [of_zoo(name) for name in (*MEMORIES, "nram-list-k", "nram-merge")]
    page = open_live(new_page, tmp_path, machines)
    rng = np.random.default_rng(0)
    for number, one in enumerate(machines):
        task = one.experiment.task
        rule, cells = task.step_rule(), task.cells(4)
        # Examples of all cases, then anything that fits into the cells, right or not.
        trials = task.trials(rng, [task.smallest, 3, 4], 4, 12)
        memories = [trial.memory for trial in trials if len(trial.memory) == cells][:500]
        memories += rng.integers(0, cells, (1000 - len(memories), cells)).tolist()
        steps = [rule.steps(memory) for memory in memories]
        expected = np.asarray(
            run_hard_batch(one.machine, jnp.asarray(memories), jnp.asarray(steps)).memory
        )
        found = page.evaluate(
            """([number, memories]) => {
                const machine = window.softmachine[number];
                return memories.map((memory) => machine.runHard(memory, machine.steps(memory)));
            }""",
            [number, memories],
        )
        assert found == expected.tolist(), one.name
        program = load_python(python_code(extract(one.machine, task), "", []))
        said = page.evaluate(
            """([number, memories]) =>
                memories.map((x) => window.softmachine[number].program.run(x).memory)""",
            [number, memories],
        )
        assert said == [program(memory) for memory in memories], one.name


@pytest.mark.parametrize("name", ["nram-copy", "nram-reverse", "nram-increment"])
def test_a_persons_list_becomes_a_memory_and_is_scored(new_page, tmp_path, name):
    one = of_zoo(name)
    page = open_live(new_page, tmp_path, [one])
    found = run(page, 0, inputs=[2, 3, 1])
    memory = [int(x) for x in found["example"]["inputs"]]
    assert dict(found["scores"])["wrong_cells"] == 0
    check(page, 0, one, 2)
    # The same memory in Python has the same answer, labels and pointers.
    own = trace(one.machine, one.experiment.task, inputs=memory)
    for part in ("targets", "mask", "answer", "stop"):
        close(found["example"][part], own.example[part], part)
    assert found["labels"] == list(own.header.axes["cell"].labels)
    assert found["pointers"] == list(own.header.pointers)
    close(found["fields"]["memory"], own.fields["memory"], "memory")


def test_a_persons_own_sequence_is_scored_as_in_python(new_page, tmp_path):
    def an_bn(language):
        return CountingLanguage(language=language, sizes="up-to", strings=2)

    machines = [
        living("ntm", "ntm-copy", NTMS["write-read"]),
        living("one", "stack-rnn-an-bn", STACKS["stack"], an_bn("an-bn")),
        living("two", "stack-rnn-an-bn", STACKS["stack"], an_bn("an-bm-cnm")),
    ]
    page = open_live(new_page, tmp_path, machines)
    for number, one, word in (
        (1, machines[1], "aabbab"),
        (1, machines[1], "aabbba"),
        (2, machines[2], "aabcccabcc"),
    ):
        check(page, number, one, None, inputs=word)
    letters = [[ord(x) >> i & 1 for i in range(7, -1, -1)] for x in "Hi"]
    rows = [[*x, 0] for x in letters] + [[0] * 8 + [1]] + [[0] * 9] * 2
    check(page, 0, machines[0], None, inputs=rows)
    assert run(page, 0, inputs="Hi")["example"] == run(page, 0, inputs=rows)["example"]


def test_the_automaton_of_a_stack_is_that_of_python(new_page, tmp_path):
    machine = wired()
    task = CountingLanguage(sizes="up-to", strings=2)
    experiment = small("stack-rnn-an-bn", task, machine.config, 3)
    origin = Provenance("stack", "stack-rnn-an-bn", 0, None)
    one = Living("stack", experiment, machine, origin)
    page = open_live(new_page, tmp_path, [one])
    rng = np.random.default_rng(0)
    words = [
        "".join("a" * n + "b" * n for n in rng.integers(1, 40, rng.integers(1, 4)))
        for _ in range(1000)
    ]
    automaton = read(machine, task, largest=40).automaton
    said = page.evaluate(
        "(words) => words.map((word) => window.softmachine[0].automaton.predict(word))", words
    )
    assert said == [[*automaton.run(word)] for word in words]
    page.goto(page.url.split("#")[0] + "#word=aabb&step=3")
    shown = page.locator('figure[data-panel="Automaton"] canvas')
    expect(shown).to_have_attribute(
        "aria-label", "Automaton. b, any A on stack 2 → stack 2: pop; next b"
    )
    # What is asked of a machine that its own alphabet does not have is said.
    page.get_by_label("your own").fill("aac")
    page.get_by_label("your own").press("Enter")
    expect(page.locator(".status")).to_have_text("Letters are a b.")


def test_the_page_is_small():
    assert len(page().encode()) <= 300_000

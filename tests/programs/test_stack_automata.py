"""Automata read off Stack-RNNs whose wires were set by hand, so that their rules are known."""

import dataclasses
import json
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.cli import programs
from softmachine.cli.main import main
from softmachine.cli.sources import Trained
from softmachine.core.errors import SoftmachineError
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.stack_rnn import STACK_RNN_PRESETS, StackRNNConfig
from softmachine.programs.automata import folding, reading, watching
from softmachine.programs.automata.automaton import (
    ANY,
    EMPTY,
    Move,
    Rule,
    StackAutomaton,
    simplified,
    table,
    top,
)
from softmachine.programs.automata.code import python_code
from softmachine.programs.automata.folding import fold
from softmachine.programs.automata.reading import check, read
from softmachine.programs.automata.watching import Deed, Situation, Watched
from softmachine.programs.running import load_python
from softmachine.recipes.registry import get_recipe
from softmachine.tasks.languages.counting import CountingLanguage
from softmachine.tasks.languages.memorisation import MemorisationLanguage

AN_BN = CountingLanguage()
SURE = 20.0
"""A weight that makes a sigmoid all but 0 or 1."""
COUNTER = (
    Rule("a", ((ANY, ANY),), (Move("push", "A"),), None),
    Rule("b", ((ANY, "A"),), (Move("pop"),), "b"),
    Rule("b", ((ANY, EMPTY),), (Move("pop"),), "a"),
)
"""Count letters a on a stack; letters b take off what was counted. It is right on aⁿ bⁿ."""


def wired(drift=0.0, more=10.0, **choices):
    """Return a Stack-RNN that counts letters a on its second stack.

    Its units: it reads a; it reads b; the second cell of that stack is there. The first stack
    is pushed to in every step. ``drift``: how pushed values depend on those below. ``more``:
    how much the third unit speaks for another b.
    """
    config = StackRNNConfig(
        controller=ControllerConfig(kind="feedforward", hidden=4, activation="sigmoid"),
        stacks=2,
        memory_rows=8,
        **choices,
    )
    machine = config.build(2, 2, key=jax.random.key(0))
    letters = np.array([[1, -1], [-1, 1], [0, 0], [0, 0]]) * SURE
    tops = np.zeros((4, 4))  # first stack, second stack: two cells each
    tops[2, 3] = SURE
    tops[3, 2] = drift
    push_pop = np.zeros((4, 4))
    push_pop[0, 0] = push_pop[0, 1] = 10.0  # the first stack: push, whichever letter
    push_pop[2, 0], push_pop[3, 1] = 10.0, 10.0  # the second: push an a, pop for a b
    values = np.array([[0, 0, 0, 1.0], [1.0, 0, 0, 1.0]])
    output = np.array([[0, 5.0, 0, 0], [0, 0, more, 0]])
    return eqx.tree_at(
        lambda m: (
            m.controller.from_input.weight,
            m.controller.from_below[0].weight,
            m.controls.weight,
            m.output.weight,
        ),
        machine,
        tuple(
            jnp.asarray(x, jnp.float32)
            for x in (letters, tops, np.concatenate([push_pop, values]), output)
        ),
    )


def test_the_automaton_of_a_machine_wired_by_hand_is_known():
    found = read(wired(), AN_BN, largest=40)
    assert found.automaton.rules == COUNTER
    assert found.automaton.stacks == ("stack 2",)
    assert (found.strings, found.wrong, found.wrong_in_stream) == (39, [], 0)


def test_values_that_differ_and_mean_the_same_are_one_symbol():
    found = read(wired(drift=3.0), AN_BN, largest=40)
    assert found.values > 5
    assert found.automaton.rules == COUNTER


def test_the_automaton_is_held_against_the_machine_itself(monkeypatch):
    monkeypatch.setattr(reading, "CHECKED", ((10, 4, 4), (100, 2, 1)))
    machine = wired(drift=3.0)
    automaton = read(machine, AN_BN, largest=40).automaton
    checked = check(machine, AN_BN, automaton)
    assert (checked.strings, checked.differing) == (4 * 4 + 2, 0)
    assert checked.letters >= 2 * 100 + 16 * 2
    wrong = automaton._replace(rules=(*COUNTER[:2], COUNTER[2]._replace(predicts="b")))
    assert check(machine, AN_BN, wrong).differing == checked.strings


def test_a_machine_that_is_wrong_has_an_automaton_that_is_wrong():
    found = read(wired(more=0.0), AN_BN, largest=10)  # after b it always says a
    assert found.automaton.rules == (
        Rule("a", (), (), None),
        Rule("b", (), (), "a"),
    )
    assert found.wrong == [*range(2, 11)]
    assert found.wrong_in_stream == sum(n - 1 for n in range(2, 11))
    text = " ".join(python_code(found).split())
    assert "It is wrong on strings of 9 sizes (2, 3, 4, 5, 6, ...)" in text
    assert "wrong after 45 letters" in text


@pytest.mark.parametrize("language", ["an-bn", "an-bn-cn", "an-bm-cnm"])
def test_printed_python_predicts_what_the_automaton_does(language):
    """Of automata written down here, on streams of the language."""
    automata = {
        "an-bn": COUNTER,
        "an-bn-cn": (
            Rule("a", ((ANY, ANY), (ANY, ANY)), (Move("push", "A"), Move("stay")), None),
            Rule("b", ((ANY, "A"), (ANY, ANY)), (Move("pop"), Move("push", "A")), "b"),
            Rule("b", ((ANY, EMPTY), (ANY, ANY)), (Move("pop"), Move("push", "A")), "c"),
            Rule("c", ((ANY, ANY), (ANY, "A")), (Move("stay"), Move("pop")), "c"),
            Rule("c", ((ANY, ANY), (ANY, EMPTY)), (Move("stay"), Move("pop")), "a"),
        ),
        "an-bm-cnm": (
            Rule("a", ((ANY, ANY),), (Move("push", "A"),), None),
            Rule("b", ((ANY, ANY),), (Move("push", "A"),), None),
            Rule("c", ((ANY, "A"),), (Move("pop"),), "c"),
            Rule("c", ((ANY, EMPTY),), (Move("pop"),), "a"),
        ),
    }
    rules = automata[language]
    task = CountingLanguage(language=language)
    stacks = tuple(f"stack {i + 1}" for i in range(len(rules[0].tops)))
    automaton = StackAutomaton(task.alphabet, stacks, 2, rules)
    stream = "".join(task.string(n, n - 1) for n in (2, 5, 3, 9))
    due = task.due(stream)
    predicted = [*automaton.run(stream)]
    for known, said, following in zip(due, predicted, stream[1:] + stream[0], strict=True):
        assert said == (following if known else None)
    found = read(wired(), AN_BN, largest=3)._replace(automaton=automaton, language=language)
    assert [*load_python(python_code(found))(stream)] == predicted


def test_top():
    assert top(["A", "B", "C"], 2) == ("C", "B")
    assert top(["A"], 2) == ("A", EMPTY)
    assert top([], 2) == (EMPTY, EMPTY)
    assert top(["A", "B"], 2) == ("B", "A")


def test_no_rule_is_an_error():
    automaton = StackAutomaton("ab", ("stack 1",), 2, COUNTER[:2])
    with pytest.raises(ValueError, match="no rule for 'b' over A ·"):
        [*automaton.run("ab")]


def test_cells_that_make_no_difference_are_left_out():
    rules = [
        Rule("a", (("A", "A"), (EMPTY, EMPTY)), (), "a"),
        Rule("a", (("A", EMPTY), (EMPTY, EMPTY)), (), "a"),
        Rule("a", ((EMPTY, EMPTY), ("A", EMPTY)), (), "b"),
    ]
    # The deeper cells go first, and then of two that tell the same the first.
    assert simplified(rules) == (
        Rule("a", ((ANY, ANY), (EMPTY, ANY)), (), "a"),
        Rule("a", ((ANY, ANY), ("A", ANY)), (), "b"),
    )


def test_table():
    lines = table(StackAutomaton("ab", ("stack 1",), 2, COUNTER)).splitlines()
    assert lines[0].split("  ")[0] == "read"
    assert [line.split()[0] for line in lines[1:]] == ["a", "b", "b"]
    assert lines[3].split() == ["b", "any", "·", "pop", "a"]


def watched(deeds):
    """Return what was seen of a machine with one stack of which one cell is read."""
    situations = {
        Situation(letter, ((seen,),)): Deed((action,), (pushed,), predicted)
        for (letter, seen), (action, pushed, predicted) in deeds.items()
    }
    return Watched(situations, set(situations), [], [])


def test_fewest_symbols_that_tell_all_apart():
    """Values 1 and 3 are followed by the same; 2 is not, and so has a symbol of its own."""
    seen = watched(
        {
            (0, 0): (0, 1, 0),  # a on nothing: push 1
            (0, 1): (0, 2, 0),  # a on 1: push 2
            (0, 2): (0, 3, 0),  # a on 2: push 3
            (0, 3): (0, 2, 0),  # a on 3: push 2 again
            (1, 1): (1, 0, 0),
            (1, 2): (1, 0, 1),
            (1, 3): (1, 0, 0),
        }
    )
    automaton = fold(seen, "ab", ("push", "pop"))
    assert automaton.symbols(0) == ["A", "B"]
    assert [(rule.letter, rule.tops, rule.predicts) for rule in automaton.rules] == [
        ("a", ((EMPTY,),), "a"),
        ("a", (("A",),), "a"),
        ("a", (("B",),), "a"),
        ("b", (("A",),), "a"),
        ("b", (("B",),), "b"),
    ]


def test_too_many_symbols_are_refused(monkeypatch):
    monkeypatch.setattr(folding, "MOST_SYMBOLS", 2)
    # A count up to five in one cell: five values that all have to be told apart.
    counted = {(0, i): (0, i + 1, i % 5) for i in range(5)} | {(0, 5): (0, 5, 4)}
    with pytest.raises(SoftmachineError, match="more than 2 symbols on a stack"):
        fold(watched(counted), "abcde", ("push", "pop"))


def test_too_many_rules_are_refused(monkeypatch):
    monkeypatch.setattr(folding, "MOST_RULES", 2)
    with pytest.raises(SoftmachineError, match="has 3 rules"):
        read(wired(), AN_BN, largest=10)


def test_values_that_do_not_repeat_are_refused(monkeypatch):
    monkeypatch.setattr(watching, "MOST_SITUATIONS", 20)
    machine = wired(drift=3.0, push_activation="linear")
    with pytest.raises(SoftmachineError, match="what it pushes does not repeat"):
        read(machine, AN_BN, largest=50)


@pytest.mark.parametrize(
    ("machine", "task", "message"),
    [
        (STACK_RNN_PRESETS["chomsky"], AN_BN, "controller has a state of its own"),
        (STACK_RNN_PRESETS["joulin-list"], AN_BN, "with stacks, not with lists"),
        (STACK_RNN_PRESETS["joulin"], MemorisationLanguage(), "not on MemorisationLanguage"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(machine, task, message):
    controller = dataclasses.replace(machine.controller, hidden=4)
    built = dataclasses.replace(machine, controller=controller).build(
        3, 3, key=jax.random.key(0)
    )
    with pytest.raises(SoftmachineError, match=message):
        read(built, task)


def test_command(monkeypatch, capsys, tmp_path):
    experiment = get_recipe("stack-rnn-an-bn")
    trained = Trained("mine", experiment, wired(), None)
    monkeypatch.setattr(programs, "open_one", lambda _: trained)
    monkeypatch.setattr(programs, "provenance", lambda *_: "here")
    monkeypatch.setattr(programs, "read", partial(read, largest=20))
    monkeypatch.setattr(reading, "CHECKED", ((10, 4, 4), (100, 2, 1)))
    main(["program", "mine", "--verify"])
    printed = capsys.readouterr().out
    assert "Held against the machine's own run on 18 more strings: all" in printed
    assert "predictions agree" in " ".join(printed.split())
    assert [*load_python(printed)("aabb")] == [None, None, "b", "a"]
    path = tmp_path / "automaton.json"
    main(["program", "mine", "--to", "json", "--out", str(path)])
    assert capsys.readouterr().out == f"{path}\n"
    written = json.loads(path.read_text())
    assert written["automaton"]["rules"][2]["predicts"] == "a"
    assert (written["wrong"], written["checked"], written["largest"]) == ([], None, 20)
    with pytest.raises(SystemExit):
        main(["program", "mine", "--to", "c"])
    assert "--to python or json, not c" in capsys.readouterr().err


def test_strings_of_two_numbers():
    task = CountingLanguage(language="an-bm-cnm")
    assert task.seconds(4, 10) == [1, 2, 3]
    assert task.seconds(20, 10) == [1, 10, 19]
    assert AN_BN.seconds(20, 10) == [0]
    assert dataclasses.replace(task, language="an-bm-cn-dm").string(5, 2) == "aaabbcccdd"

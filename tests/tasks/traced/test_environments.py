"""Environments and programs that are not as they have to be are told so."""

from typing import Literal

import numpy as np
import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.tasks.traced.addition import Addition
from softmachine.tasks.traced.environment import Environment, primitive, program
from softmachine.tasks.traced.topological_sort import TopologicalSort
from softmachine.tasks.traced.tracing import (
    check_consistent,
    check_replay,
    distinct_calls,
    trace,
)


class Lamp(Environment):
    """Switch a lamp to what is wanted, which cannot be seen."""

    observations = {"on": ("no", "yes")}  # noqa: RUF012
    main = "SET"

    def __init__(self, wanted):
        self.wanted, self.on = wanted, "no"

    def observe(self):
        return (self.on,)

    @primitive
    def switch(self, to: Literal["no", "yes"]):
        self.on = to

    @program
    def set(self):
        yield self.switch("no")
        yield self.switch(self.wanted)
        return None

    def result(self):
        return self.on

    def expected(self):
        return self.wanted


class Counting(Lamp):
    """The same, but always seen as off: all observations are the same."""

    def observe(self):
        return ("no",)


@pytest.mark.parametrize("kind", [Lamp, Counting])
def test_decisions_that_do_not_follow_are_found_whatever_comes_after(kind):
    """Also where two calls see the same from beginning to end."""
    message = "SET decides in two ways, SWITCH no and SWITCH yes, after the same observations: "
    with pytest.raises(SoftmachineError, match=f"{message}on no; on no. What a program"):
        check_consistent(distinct_calls([trace(kind("no")), trace(kind("yes"))]), kind)


def test_what_replaces_a_program_is_marked_as_one():
    with pytest.raises(
        TypeError, match=r"Switched.set replaces a program or a primitive: mark"
    ):

        class Switched(Lamp):
            def set(self):
                yield self.switch("yes")


def test_what_every_environment_has_is_no_name_for_a_program():
    with pytest.raises(TypeError, match=r"Lit.begin replaces what is no program or primitive"):

        class Lit(Lamp):
            @program
            def begin(self):
                yield self.switch("yes")


def test_annotations_are_known_where_the_class_is():
    with pytest.raises(TypeError, match=r"Dim.dim: name 'Level' is not defined; write its"):

        class Dim(Lamp):
            @primitive
            def dim(self, level: "Level"):
                pass


def made(**members):
    """Return a class of lamps that has some members otherwise."""
    return type("Odd", (Lamp,), members)


def program_named(name):
    def method(self):
        yield self.switch("yes")

    method.__name__ = name
    return program(method)


def several(self, *to: Literal["no", "yes"]):
    yield self.switch(*to)


def by_name(self, *, to: Literal["no", "yes"]):
    yield self.switch(to)


def listed(self, to: Literal[[1]]):  # pyright: ignore[reportInvalidTypeForm]
    yield self.switch(to)


def twice(self, to: Literal["1", 1]):
    yield self.switch(to)


def empty(self, to: Literal["", "-"]):
    yield self.switch(to)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"observations": ["on"]}, r"Odd needs observations = \{name"),
        ({"observations": {}}, r"Odd needs observations = \{name"),
        (
            {"observations": {"on": 2}},
            r"Odd.observations: 'on' needs a tuple of values .* not 2",
        ),
        ({"observations": {"on": ()}}, r"Odd.observations: 'on' needs a tuple of values"),
        ({"observations": {"on": ("1", 1)}}, r"Odd.observations: 'on' needs a tuple of values"),
        ({"main": "SWITCH"}, r"Odd.main needs the name, in capitals, of a program .*: SET"),
        ({"main": "DIM"}, r"Odd.main needs the name"),
        ({"nop": program_named("nop")}, r"differ and are not NOP; not so NOP"),
        ({"Set": program_named("Set")}, r"differ and are not NOP; not so SET"),
        (
            {"several": program(several)},
            r"Odd.several: argument \*to.* has no place of its own",
        ),
        ({"by_name": program(by_name)}, r"Odd.by_name: argument to.* has no place of its own"),
        ({"listed": program(listed)}, r"Odd.listed: values of argument to are texts, whole"),
        ({"twice": program(twice)}, r"values of argument 1 .* written out; '1' and 1 do not"),
        ({"empty": program(empty)}, r"values of argument 1 .* written out; '' and '-' do not"),
    ],
    ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
)
def test_what_is_declared_can_be_seen_and_called(members, message):
    with pytest.raises(TypeError, match=message):
        made(**members)


@pytest.mark.parametrize("seen", [None, True, (["no"],), ("no", "no"), ("dim",)], ids=str)
def test_what_is_observed_has_been_declared(seen):
    odd = made(observe=lambda _: seen)
    with pytest.raises(SoftmachineError, match=r"Odd.observe\(\) gives .*; declared are on: "):
        trace(odd("no"))


def test_what_fails_is_named():
    """In what is seen, in what a core asks for, and in the comparison of results."""
    with pytest.raises(SoftmachineError, match=r"Odd.observe\(\) fails: ZeroDivisionError: "):
        made(observe=lambda _: 1 / 0)("no").seen()

    @primitive
    def switch(self, to: Literal["no", "yes"]):
        self.on = {}[to]

    odd = made(switch=switch)
    number, *arguments = odd.vocabulary.encode(odd("no").switch("yes"))
    with pytest.raises(
        SoftmachineError, match=r"Odd: SWITCH yes fails: KeyError: 'yes'; a prim"
    ):
        odd("no").perform(number, arguments)
    arrays = made(result=lambda _: np.zeros(2), expected=lambda _: np.zeros(2))
    with pytest.raises(
        SoftmachineError, match="compared with ==, as numbers, texts and tuples"
    ):
        arrays("no").right()


def hidden(self):
    self.on = self.wanted
    yield self.switch(self.wanted)


def only_hidden(self):
    self.on = self.wanted
    return


hidden.__name__ = only_hidden.__name__ = "set"


def test_what_a_program_changes_itself_is_found():
    """What primitives do has to lead to the result by itself."""
    fine, wrong = made(set=program(hidden)), made(set=program(only_hidden))
    check_replay(trace(fine("yes")), fine("yes"))
    with pytest.raises(
        SoftmachineError,
        match=r"what SET calls, .* leaves no, which is not right. A program ch",
    ):
        check_replay(trace(wrong("yes")), wrong("yes"))


def test_calls_that_nothing_takes():
    def set_to(self):
        yield self.switch(["yes"])

    set_to.__name__ = "set"
    with pytest.raises(SoftmachineError, match=r"argument 1 of SWITCH is one of no, yes; not"):
        trace(made(set=program(set_to))("no"))


def test_programs_that_do_not_end_are_ended():
    def on(self):
        while True:
            yield self.switch("no")

    def into(self):
        yield self.set()

    for method, message in ((on, "1,000 steps"), (into, "50 calls in calls")):
        method.__name__ = "set"
        with pytest.raises(SoftmachineError, match=f"SET of Odd has not ended after {message}"):
            trace(made(set=program(method))("no"), most=1000, deepest=50)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (((1, 2), (2, 3), (3, 2), (3, 4)), r"a cycle among the vertices \[2, 3, 4\]"),
        (((1, 1),), r"a cycle among the vertices \[1\]"),
        (((1, 5),), r"edge \(1, 5\) joins vertices that are not 1 to 4"),
    ],
)
def test_graphs_without_an_order_are_refused(edges, message):
    with pytest.raises(SoftmachineError, match=message):
        TopologicalSort(4, edges)


def test_every_order_along_the_edges_is_right():
    graph = TopologicalSort(3, ((1, 3),))
    for order, right in (
        ((1, 2, 3), True),
        ((2, 1, 3), True),
        ((3, 1, 2), False),
        ((1, 3), False),
    ):
        graph.results, graph.written = [*reversed(order)], len(order)
        assert graph.right() == right, order


def test_pictures_have_a_pointer_on_each_row():
    pad = Addition((9, 6), (1, 2, 5))
    trace(pad)
    names = [row.name for row in pad.picture().rows]
    assert names == ["IN1", "IN2", "CARRY", "OUT"]
    assert [row.cells[-3:] for row in pad.picture().rows][1:] == [
        ("1", "2", "5"), ("1", "1", ""), ("2", "2", "1"),
    ]  # fmt: skip
    assert [row.pointers for row in pad.picture().rows] == [{name: 1} for name in names]

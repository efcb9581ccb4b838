"""Drawings of a program: its control-flow graph, and the circuit of each state."""

from __future__ import annotations

from collections.abc import Sequence

import graphviz

from softmachine.programs.assignments import assignments
from softmachine.programs.expressions import Expressions
from softmachine.programs.languages.python import assignment, syntax_of
from softmachine.programs.layout import Edge, Node, Picture, svg
from softmachine.programs.naming import targets
from softmachine.programs.program import Branch, Program, State, Successor
from softmachine.programs.syntax_tree import Assign, AssignCell
from softmachine.programs.values import Facts

SHAPES = {
    "box": {"shape": "box", "style": "rounded"},
    "gate": {"shape": "ellipse"},
    "register": {"shape": "box"},
    "memory": {"shape": "cylinder"},
    "end": {"shape": "doublecircle"},
}
"""Attributes of Graphviz for each shape of a node."""
ARGUMENTS = {"WRITE": ("address", "value")}
"""Names of a gate's arguments; those of other gates are ``a`` and ``b``."""


def pictures(program: Program) -> list[Picture]:
    """Return the control-flow graph, and for each state the circuit of its step."""
    return [
        states_picture(program),
        *(circuit_picture(program, state) for state in program.states),
    ]


def states_picture(program: Program) -> Picture:
    """Return the control-flow graph: states with their assignments, arrows with conditions."""
    expressions = Expressions(program, syntax_of(program))
    nodes, edges = [], []
    for state in program.states:
        lines = [state.name, *_texts(program, state)]
        nodes.append(Node(state.name, tuple(lines), "box"))
        for target in targets(state.successor):
            name = "end" if target is None else program.states[target].name
            label = _condition(expressions, state.successor, target)
            edges.append(Edge(state.name, name, "" if label is True else str(label)))
    steps = "until its steps are over" if program.counts_steps else ""
    if any(edge.target == "end" for edge in edges) or not program.states:
        nodes.append(Node("end", ("end",), "end"))
    title = f"States{', ' + steps if steps else ''}"
    return Picture(title, tuple(nodes), tuple(edges), across=False)


def circuit_picture(program: Program, state: State) -> Picture:
    """Return the circuit of a state: registers and memory before, live gates, what changes."""
    expressions = Expressions(program, syntax_of(program))
    wires, registers = state.wires, program.registers
    names = wires.names()
    kept = [j for j in state.updates if j < registers]
    roots = [wires.registers[j] for j in kept] + [store.slot for store in state.stores]
    used = _live_slots(program, state, roots)
    nodes, edges = [], []
    for slot in sorted(used):
        if slot < registers:
            known = expressions.value(state.known[slot], state.facts, {})
            nodes.append(Node(f"slot {slot}", (f"r{slot + 1}: {known}",), "register", "first"))
            continue
        use = wires.gates[slot - registers]
        nodes.append(Node(f"slot {slot}", (names[slot],), "gate"))
        labels = ARGUMENTS.get(use.gate, ("a", "b")) if len(use.inputs) == 2 else ("",) * 2
        for source, label in zip(use.inputs, labels, strict=False):
            edges.append(Edge(f"slot {source}", f"slot {slot}", label))
        if use.memory == "read":
            edges.append(Edge("memory", f"slot {slot}"))
        if use.memory == "write":
            edges.append(Edge(f"slot {slot}", "memory after"))
    if any(edge.source == "memory" for edge in edges):
        nodes.append(Node("memory", ("memory",), "memory", "first"))
    if any(edge.target == "memory after" for edge in edges):
        nodes.append(Node("memory after", ("memory",), "memory", "last"))
    for j in kept:
        nodes.append(Node(f"after {j}", (f"new {_register(program, j)}",), "register", "last"))
        edges.append(Edge(f"slot {wires.registers[j]}", f"after {j}"))
    title = f"One step in state {state.name}: registers that are 0, {_patterns(state)}"
    return Picture(title, tuple(nodes), tuple(edges), across=True)


def svg_code(program: Program, summary: str, notes: Sequence[str]) -> str:
    """Return the drawings as one SVG file, which needs no other program to make or view.

    The last two arguments are those of all code writers, and not used.
    """
    del summary, notes
    return svg(pictures(program))


def dot_code(program: Program, summary: str, notes: Sequence[str]) -> str:
    """Return the drawings as Graphviz source (DOT), each a cluster; ``notes`` is not used."""
    del notes
    whole = graphviz.Digraph("program", graph_attr={"label": graphviz.escape(summary)})
    for i, picture in enumerate(pictures(program)):
        attributes = {"label": graphviz.escape(picture.title)}
        part = graphviz.Digraph(f"cluster_{i}", graph_attr=attributes)
        for node in picture.nodes:
            ends = "\\l" if node.shape == "box" else ""
            label = "\\l".join(map(graphviz.escape, node.lines)) + ends
            part.node(f"{i} {node.name}", label, **SHAPES[node.shape])
        for edge in picture.edges:
            part.edge(f"{i} {edge.source}", f"{i} {edge.target}", graphviz.escape(edge.label))
        whole.subgraph(part)
    return whole.source


def _texts(program: Program, state: State) -> list[str]:
    """Return the assignments of a state as lines of Python."""
    return [
        f"memory[{s.address}] = {s.expression}" if isinstance(s, AssignCell) else assignment(s)
        for s in assignments(Expressions(program, syntax_of(program)), state)
        if isinstance(s, AssignCell | Assign)
    ]


def _condition(
    expressions: Expressions, successor: Successor, target: int | None
) -> str | bool:
    """Return the condition under which a state comes next; True if always, False if never."""
    if not isinstance(successor, Branch):
        return successor == target
    zero, other = (
        _condition(expressions, part, target) for part in (successor.zero, successor.nonzero)
    )
    is_zero, is_not = (
        expressions.condition(successor.value, way, Facts(), {}) for way in (True, False)
    )
    for test, first, second in ((is_zero, zero, other), (is_not, other, zero)):
        if first is True:
            return (
                True if second is True else test if second is False else f"{test} or {second}"
            )
    if zero is False and other is False:
        return False
    parts = [
        f"{test} and {f'({rest})' if ' or ' in str(rest) else rest}"
        for test, rest in ((is_zero, zero), (is_not, other))
        if rest is not False
    ]
    return " or ".join(parts)


def _live_slots(program: Program, state: State, roots: Sequence[int]) -> set[int]:
    """Return the slots that some slots depend on, through gates, with these themselves."""
    used, waiting = set(), list(roots)
    while waiting:
        slot = waiting.pop()
        if slot not in used:
            used.add(slot)
            if slot >= program.registers:
                waiting += state.wires.gates[slot - program.registers].inputs
    return used


def _register(program: Program, register: int) -> str:
    """Return the label of a register: its number, and its value in terms of a variable."""
    offset = program.offsets.get(register, 0)
    name = program.names[register]
    plain = f"{name} {'-' if offset > 0 else '+'} {abs(offset)}" if offset else name
    return f"r{register + 1}: {plain}"


def _patterns(state: State) -> str:
    """Return the patterns of zeros that a state stands for, the first four of them."""
    shown = state.patterns if len(state.patterns) <= 4 else (*state.patterns[:4], "...")
    return ", ".join(shown)

"""Drawings of a program: its states, and the circuit of one step in each of them."""

from __future__ import annotations

from collections.abc import Sequence

import graphviz

from softmachine.programs.layout import Edge, Node, Picture, svg
from softmachine.programs.naming import targets
from softmachine.programs.program import Program, State, Test
from softmachine.programs.python_code import assignment, syntax_of
from softmachine.programs.statements import Assign, Formulas, Put, body_of
from softmachine.programs.values import Facts

SHAPES = {
    "box": {"shape": "box", "style": "rounded"},
    "gate": {"shape": "ellipse"},
    "register": {"shape": "box"},
    "memory": {"shape": "cylinder"},
    "end": {"shape": "doublecircle"},
}
ARGUMENTS = {"WRITE": ("address", "value")}


def pictures(program: Program) -> list[Picture]:
    """Return the states, and for each state the gates that matter there."""
    return [
        states_picture(program),
        *(circuit_picture(program, state) for state in program.states),
    ]


def states_picture(program: Program) -> Picture:
    """Return what follows what, and what each state does."""
    formulas = Formulas(program, syntax_of(program))
    nodes, edges = [], []
    for state in program.states:
        lines = [state.name, *_texts(program, state)]
        nodes.append(Node(state.name, tuple(lines), "box"))
        for target in targets(state.follow):
            name = "end" if target is None else program.states[target].name
            label = _condition(formulas, state.follow, target)
            edges.append(Edge(state.name, name, "" if label is True else str(label)))
    steps = "until its steps are over" if program.counts_steps else ""
    if any(edge.target == "end" for edge in edges) or not program.states:
        nodes.append(Node("end", ("end",), "end"))
    title = f"States{', ' + steps if steps else ''}"
    return Picture(title, tuple(nodes), tuple(edges), across=False)


def circuit_picture(program: Program, state: State) -> Picture:
    """Return one step: registers and memory before, the gates that matter, what changes."""
    formulas = Formulas(program, syntax_of(program))
    wires, registers = state.wires, program.registers
    names = wires.names()
    kept = [j for j in state.updates if j < registers]
    roots = [wires.registers[j] for j in kept] + [store.slot for store in state.stores]
    used = _reached(program, state, roots)
    nodes, edges = [], []
    for slot in sorted(used):
        if slot < registers:
            known = formulas.value(state.known[slot], state.facts, {})
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
    """Return the drawings as one SVG file, laid out here."""
    del summary, notes
    return svg(pictures(program))


def dot_code(program: Program, summary: str, notes: Sequence[str]) -> str:
    """Return the drawings for Graphviz, a cluster each."""
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
    """Return what a state does, as code."""
    return [
        f"memory[{s.address}] = {s.formula}" if isinstance(s, Put) else assignment(s)
        for s in body_of(program, syntax_of(program), state)
        if isinstance(s, Put | Assign)
    ]


def _condition(formulas: Formulas, follow: Test | int | None, target: int | None) -> str | bool:
    """Return the condition under which a state comes next; a truth value if it has none."""
    if not isinstance(follow, Test):
        return follow == target
    zero, other = (_condition(formulas, part, target) for part in (follow.zero, follow.other))
    is_zero, is_not = (
        formulas.condition(follow.value, way, Facts(), {}) for way in (True, False)
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


def _reached(program: Program, state: State, roots: Sequence[int]) -> set[int]:
    used, waiting = set(), list(roots)
    while waiting:
        slot = waiting.pop()
        if slot not in used:
            used.add(slot)
            if slot >= program.registers:
                waiting += state.wires.gates[slot - program.registers].inputs
    return used


def _register(program: Program, register: int) -> str:
    offset = program.offsets.get(register, 0)
    name = program.names[register]
    plain = f"{name} {'-' if offset > 0 else '+'} {abs(offset)}" if offset else name
    return f"r{register + 1}: {plain}"


def _patterns(state: State) -> str:
    shown = state.patterns if len(state.patterns) <= 4 else (*state.patterns[:4], "...")
    return ", ".join(shown)

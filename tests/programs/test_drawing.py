"""Drawings: nothing lies on anything else, and only what matters is drawn."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest

from softmachine.programs.build import build_program
from softmachine.programs.drawing import circuit_picture, dot_code, pictures, svg_code
from softmachine.programs.layout import _Layout
from softmachine.tasks.steps import StepRule


@pytest.fixture(scope="module", params=range(0, 40, 4))
def program(request, tables):
    _, table = tables.random_table(request.param)
    return build_program(table, StepRule("length", 1, 1, 0))


def test_svg_is_well_formed_and_shows_every_node(program):
    root = ElementTree.fromstring(svg_code(program, "A program.", []))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for picture in pictures(program):
        assert picture.title in texts
        for node in picture.nodes:
            assert set(node.lines) <= set(texts)


def test_nodes_do_not_overlap(program):
    for picture in pictures(program):
        layout = _Layout(picture)
        width, height = layout.extent()
        names = [node.name for node in picture.nodes]
        for name in names:
            (x, y), (w, h) = layout.places[name], layout.boxes[name]
            assert w / 2 - 1e-6 <= x <= width - w / 2 + 1e-6
            assert h / 2 - 1e-6 <= y <= height - h / 2 + 1e-6
        for a, b in itertools.combinations(names, 2):
            (x, y), (u, v) = layout.places[a], layout.places[b]
            (w, h), (k, m) = layout.boxes[a], layout.boxes[b]
            assert abs(x - u) >= (w + k) / 2 or abs(y - v) >= (h + m) / 2


def test_dot_has_the_same_nodes(program):
    text = dot_code(program, "A program.", [])
    for i, picture in enumerate(pictures(program)):
        for node in picture.nodes:
            assert re.search(rf'^\s*"{i} {re.escape(node.name)}" \[', text, re.MULTILINE)
        assert text.count(f'-> "{i} ') == len(picture.edges)


def test_gates_that_reach_nothing_are_left_out(tables):
    gates = ("READ", "ONE", "INC", "ADD", "WRITE")
    circuit = {"READ": "r1", "INC": "r1", "ADD": "INC READ", "WRITE": "r1 INC", "r1": "INC"}
    wires = tables.wires_by_name(gates, 1, circuit)
    table = tables.full_table(1, lambda _: wires)
    program = build_program(table, StepRule("length", 1, 0, 0))
    (state,) = program.states
    labels = [node.lines[0] for node in circuit_picture(program, state).nodes]
    assert sorted(labels) == ["INC", "WRITE", "memory", "new r1: target", "r1: target"]

"""The command that turns a machine into a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from softmachine.cli.folding import folded
from softmachine.cli.sources import Trained, model_of, open_one
from softmachine.cli.waiting import on_terminal, working
from softmachine.core.errors import SoftmachineError
from softmachine.core.files import replacing
from softmachine.programs.automata.code import json_code as automaton_json
from softmachine.programs.automata.code import python_code as automaton_code
from softmachine.programs.automata.code import told
from softmachine.programs.automata.reading import check as check_automaton
from softmachine.programs.automata.reading import has_stacks, read
from softmachine.programs.drawing import dot_code, svg_code
from softmachine.programs.extraction import extract, extractable
from softmachine.programs.languages.c import c_code
from softmachine.programs.languages.json import json_code
from softmachine.programs.languages.python import python_code
from softmachine.programs.notes import Provenance, notes, summary, verified
from softmachine.programs.program import Program
from softmachine.programs.verification import Verification, verify
from softmachine.recipes.registry import RECIPES
from softmachine.synthesis.held_out import SUMMARY, describe
from softmachine.synthesis.verify_lines import verify_lines
from softmachine.tasks.memories.given import Given
from softmachine.wiring.compiling import machine_to_json

WRITERS = {
    "python": python_code,
    "c": c_code,
    "json": json_code,
    "svg": svg_code,
    "dot": dot_code,
}


def write_program(source: str, to: str, out: Path | None, check: bool, seed: int) -> None:
    """Print a machine's program, or write it; verify it first if asked to.

    Raises SoftmachineError if there is a counter-example, the program written all the same.
    """
    trained = open_one(source)
    if has_stacks(trained.machine):
        _write_automaton(source, trained, to, out, check, seed)
        return
    try:
        machine, task = extractable(trained.machine, trained.experiment.task)
    except SoftmachineError as error:
        raise SoftmachineError(f"{source}: {error}") from error
    given = task if isinstance(task, Given) else None
    origin = provenance(source, trained)
    report = None
    with working(f"Extracting the program of {source}") as say:
        program = extract(trained.machine, task)
        if check:
            say(f"Verifying the program of {source}")
            if given is not None:
                report = verify_lines(machine, given, program, seed=seed)
            else:
                report = verify(machine, task, program, seed=seed)
    if given is not None:
        text = _of_examples(program, given, str(origin), to, report)
    else:
        text = WRITERS[to](program, summary(task), notes(program, task, origin, report))
    if to == "json":
        text = _with_wires(text, trained)
    _give(text, to, out)
    if out is not None and report is not None:
        print(folded(str(report), 2))
    if report is not None and not report.passed:
        wrong = next(check for check in report.checks if check.counterexample is not None)
        raise SoftmachineError(f"the program of {source} is not right: {wrong}")


def _write_automaton(
    source: str, trained: Trained, to: str, out: Path | None, check: bool, seed: int
) -> None:
    """Print the automaton that a hard Stack-RNN is, or write it; check it if asked to."""
    if to not in ("python", "json"):
        raise SoftmachineError(
            f"the program of a Stack-RNN is an automaton: --to python or json, not {to}"
        )
    task, checked = trained.experiment.task, None
    try:
        with working(f"Reading the automaton of {source}") as say:
            found = read(trained.machine, task)
            if check:
                say(f"Checking the automaton of {source}")
                checked = check_automaton(trained.machine, task, found.automaton, seed=seed)
    except SoftmachineError as error:
        raise SoftmachineError(f"{source}: {error}") from error
    origin = f"Extracted by softmachine from {provenance(source, trained)}."
    code = automaton_code(found, [origin], checked)
    _give(code if to == "python" else automaton_json(found, checked), to, out)
    if out is not None and checked is not None:
        print(folded(told(checked), 2))
    if checked is not None and checked.differing:
        raise SoftmachineError(f"the automaton of {source} is not right: {told(checked)}")


def _give(text: str, to: str, out: Path | None) -> None:
    """Print a text, or write it to a file and print where that is."""
    if out is None:
        _show(text, to)
        return
    try:
        with replacing(out) as temporary:
            temporary.write_text(text)
    except OSError as error:
        raise SoftmachineError(f"cannot write to {out}: {error.strerror}") from error
    print(out)


def _with_wires(text: str, trained: Trained) -> str:
    """Return a program's JSON with the wires of its machine, if it has a table of them."""
    wires = machine_to_json(trained.machine)
    if wires is None:
        return text
    recipe = trained.experiment.recipe
    known = {"recipe": recipe} if recipe in RECIPES else {}
    return json.dumps(json.loads(text) | {"machine": known | wires}, indent=2) + "\n"


def _show(text: str, language: str) -> None:
    """Print a program; in colours on a terminal, unless it is a drawing."""
    if not on_terminal() or language not in ("python", "c", "json"):
        sys.stdout.write(text)
        return
    coloured = Syntax("", language, theme="ansi_dark").highlight(text)
    Console().print(coloured, soft_wrap=True, end="")


def _of_examples(
    program: Program, task: Given, origin: str, to: str, report: Verification | None
) -> str:
    """Return the text of a program that learned from examples."""
    told = describe(program, task, origin, to=to)
    told.notes.append(verified(report, program.observed))
    if to == "python":
        return python_code(program, SUMMARY, told.notes, told.call)
    return WRITERS[to](program, SUMMARY, told.notes)


def provenance(source: str, trained: Trained) -> Provenance:
    """Return where a machine's weights come from."""
    if trained.run is None:
        card = model_of(source).card
        return Provenance(source, card["recipe"], card["seed"], card["commit"])
    experiment = trained.experiment
    commit = trained.run.environment().get("commit")
    updated = trained.run.load_best()[1].get("sequences") != 0
    return Provenance(source, experiment.recipe, experiment.training.seed, commit, updated)

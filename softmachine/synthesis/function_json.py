"""A function that was found, as data: its program, its machine's wires, tests, the question."""

from __future__ import annotations

import json
from collections.abc import Sequence

from softmachine.programs.languages.json import json_code
from softmachine.synthesis.agreement import Question
from softmachine.synthesis.layout import described
from softmachine.synthesis.making import Made
from softmachine.synthesis.pairs import Pairs
from softmachine.wiring.compiling import wiring_to_json


def function_json(
    made: Made, given: Pairs, notes: Sequence[str], asked: Question | None, summary: str
) -> str:
    """Return a function as JSON.

    Besides what `softmachine.programs.json_code` gives, ``function`` says how it is called,
    ``tests`` which examples are right, and ``ask`` which example would decide between programs
    that suit all, or null. ``machine`` holds the wires: `softmachine compile` makes a machine
    of it again.
    """
    wires = wiring_to_json(made.candidate.config, made.candidate.table)
    whole = json.loads(json_code(made.program, summary, notes, wires))
    layout = made.layout
    whole["function"] = {
        "signature": given.signature,
        "arguments": dict(zip(layout.names, layout.kinds, strict=True)),
        "answer": layout.answer,
        "layout": described(layout),
        "steps": layout.count._asdict(),
    }
    whole["tests"] = {
        "examples": len(made.outcomes),
        "right": sum(outcome.right for outcome in made.outcomes),
        "compared": made.same,
    }
    whole["ask"] = None
    if asked is not None:
        whole["ask"] = asked.to_json() | {"line": given.line_of(asked.asked.inputs)}
    return json.dumps(whole, indent=2) + "\n"

"""From a trained machine to a program: circuits, extraction, code, verification.

The stages of the pipeline, in order; `extract` runs 1 to 6:

1. `extraction`: read off the wires of the hard machine, one step for each pattern of zeros.
2. `observed`: if the controller is recurrent, learn it as an automaton from examples instead.
3. `circuits`, `values`: execute each step symbolically; dead gates go, constants fold.
4. `reachable`: find all states that a memory may lead to, by abstract interpretation.
5. `merging`: merge states with the same effect into the blocks of a control-flow graph.
6. `build`, `naming`, `program`: live registers become variables; all get readable names.
7. `assignments`, `expressions`, `statements`, `syntax_tree`: structured code for any language.
8. `languages` (Python, C, JSON), `drawing`: the program's text; `notes`: its comment.
9. `running`, `verification`, `outside`: load it, and compare it with the machine and the task.

Before all that, `repair` may change single wires of a machine whose hard form makes mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "Program": "softmachine.programs.program",
    "c_code": "softmachine.programs.languages.c",
    "extract": "softmachine.programs.extraction",
    "json_code": "softmachine.programs.languages.json",
    "load_python": "softmachine.programs.running",
    "python_code": "softmachine.programs.languages.python",
    "verify": "softmachine.programs.verification",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.programs.extraction import extract as extract
    from softmachine.programs.languages.c import c_code as c_code
    from softmachine.programs.languages.json import json_code as json_code
    from softmachine.programs.languages.python import python_code as python_code
    from softmachine.programs.program import Program as Program
    from softmachine.programs.running import load_python as load_python
    from softmachine.programs.verification import verify as verify
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

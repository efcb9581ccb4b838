"""From a trained machine to a program: circuits, extraction, code, verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "Program": "softmachine.programs.program",
    "load_python": "softmachine.programs.running",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.programs.program import Program as Program
    from softmachine.programs.running import load_python as load_python
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

"""What a machine did on one example, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "Field": "softmachine.core.fields",
    "Recording": "softmachine.traces.recording",
    "Trace": "softmachine.traces.file",
    "check_moves": "softmachine.traces.head_moves",
    "give_account": "softmachine.traces.head_moves",
    "load_trace": "softmachine.traces.file",
    "record": "softmachine.traces.recording",
    "trace": "softmachine.traces.making",
    "trace_calls": "softmachine.traces.calling",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.core.fields import Field as Field
    from softmachine.traces.calling import trace_calls as trace_calls
    from softmachine.traces.file import Trace as Trace
    from softmachine.traces.file import load_trace as load_trace
    from softmachine.traces.head_moves import check_moves as check_moves
    from softmachine.traces.head_moves import give_account as give_account
    from softmachine.traces.making import trace as trace
    from softmachine.traces.recording import Recording as Recording
    from softmachine.traces.recording import record as record
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

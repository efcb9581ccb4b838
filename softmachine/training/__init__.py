"""From an experiment to a trained run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "Exam": "softmachine.training.exam",
    "Member": "softmachine.training.member",
    "NRAMLoss": "softmachine.training.nram.objective",
    "Restart": "softmachine.training.phases",
    "Settle": "softmachine.training.phases",
    "TRACKERS": "softmachine.training.trackers",
    "Tracker": "softmachine.training.trackers",
    "WireSearch": "softmachine.training.nram.wire_search",
    "train": "softmachine.training.trainer",
    "train_members": "softmachine.training.trainer",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.training.exam import Exam as Exam
    from softmachine.training.member import Member as Member
    from softmachine.training.nram.objective import NRAMLoss as NRAMLoss
    from softmachine.training.nram.wire_search import WireSearch as WireSearch
    from softmachine.training.phases import Restart as Restart
    from softmachine.training.phases import Settle as Settle
    from softmachine.training.trackers import TRACKERS as TRACKERS
    from softmachine.training.trackers import Tracker as Tracker
    from softmachine.training.trainer import train as train
    from softmachine.training.trainer import train_members as train_members
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

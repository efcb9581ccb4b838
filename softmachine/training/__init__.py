"""From an experiment to a trained run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "DaskWorkers": "softmachine.training.workers.dask_workers",
    "Exam": "softmachine.training.exam",
    "Member": "softmachine.training.member",
    "NRAMLoss": "softmachine.training.nram.objective",
    "ProcessWorkers": "softmachine.training.workers.workers",
    "Restart": "softmachine.training.phases",
    "Settle": "softmachine.training.phases",
    "TRACKERS": "softmachine.training.trackers",
    "Tally": "softmachine.training.workers.workers",
    "ThreadWorkers": "softmachine.training.workers.workers",
    "Tracker": "softmachine.training.trackers",
    "WireSearch": "softmachine.training.nram.wire_search",
    "Workers": "softmachine.training.workers.workers",
    "for_each": "softmachine.training.workers.each",
    "imap_unordered": "softmachine.training.workers.each",
    "train": "softmachine.training.trainer",
    "train_members": "softmachine.training.trainer",
    "train_on_workers": "softmachine.training.workers.schedule",
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
    from softmachine.training.workers.dask_workers import DaskWorkers as DaskWorkers
    from softmachine.training.workers.each import for_each as for_each
    from softmachine.training.workers.each import imap_unordered as imap_unordered
    from softmachine.training.workers.schedule import train_on_workers as train_on_workers
    from softmachine.training.workers.workers import ProcessWorkers as ProcessWorkers
    from softmachine.training.workers.workers import Tally as Tally
    from softmachine.training.workers.workers import ThreadWorkers as ThreadWorkers
    from softmachine.training.workers.workers import Workers as Workers
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

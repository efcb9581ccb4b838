"""The unit of work: a group of members, from one checkpoint to the next.

A unit is pure: what it returns depends on what it is given alone, not on the process that does
it, on those beside it, or on how often it was tried before. So a unit whose worker is gone is
done again elsewhere, and one that was done twice gave the same bits twice. What travels is the
members' configuration as JSON and their checkpoints as files are: no code, no open file.

A group has as many slots as it has members at first, and keeps them: members that have ended,
or that are computed elsewhere, leave theirs to copies that take no updates. The program is the
same whoever is in it, and on one device only.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from softmachine.experiments.checkpoints import (
    decode_checkpoint,
    encode_checkpoint,
    read_encoded,
)
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.progress import Progress, last_record
from softmachine.experiments.runs import (
    LastCheckpoint,
    Note,
    Run,
    first_checkpoint,
    last_checkpoint,
)
from softmachine.experiments.serialization import experiment_from_json, experiment_to_json
from softmachine.experiments.state import TrainState, first_state, machine_class, upgrade_state
from softmachine.machines.packed import packed_form
from softmachine.running.devices import one_device
from softmachine.training.member import Member
from softmachine.training.members import Plan, plan_for
from softmachine.training.trainer import advance_members
from softmachine.training.workers.identity import AnotherVersionError, difference, identity


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemberAt:
    """A member at its last checkpoint."""

    seed: int
    tie: str
    """Digest of its configuration; see `Run.tie`."""
    last: bytes | None
    """The checkpoint's file; None before the first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """A group of members to be taken to a checkpoint."""

    versions: Mapping[str, str]
    """The `identity` of the process that asks."""
    experiment: str
    """What they train, as JSON, whatever its seed."""
    modules: tuple[str, ...]
    """Modules of other packages that have parts of it: imported first, to register these."""
    members: tuple[MemberAt, ...]
    slots: int
    """How many members the group had at first."""
    until: int
    """The update at which, or at the first validation after which, they are to be saved."""


def unit_of(runs: Sequence[Run], slots: int, until: int) -> Unit:
    """Return the unit that takes some runs of a group on from their last checkpoints."""
    experiment = runs[0].experiment.with_seed(0)
    members = [
        MemberAt(seed=run.experiment.training.seed, tie=run.tie, last=run.last_bytes())
        for run in runs
    ]
    return Unit(
        versions=identity(),
        experiment=json.dumps(experiment_to_json(experiment)),
        modules=tuple(sorted(_other_modules(experiment))),
        members=tuple(members),
        slots=slots,
        until=until,
    )


def _other_modules(part: Any) -> set[str]:
    """Return the modules of a configuration's classes, those of this package left out."""
    if isinstance(part, list | tuple):
        return set().union(*map(_other_modules, part))
    if not dataclasses.is_dataclass(part):
        return set()
    module = type(part).__module__
    own = set() if module.partition(".")[0] == "softmachine" else {module}
    return own.union(*(_other_modules(getattr(part, x.name)) for x in dataclasses.fields(part)))


def progress_in(note: Note, tie: str) -> Progress:
    """Return the progress that a note of a last checkpoint tells of."""
    path = Path("last.safetensors")
    found = read_encoded(note.data, tie, path)
    return last_record(found.value, found.schema, path).progress


def advance(unit: Unit) -> list[list[Note]]:
    """Do a unit of work; return what each member has noted, for `Run.take`.

    Raises, before anything is computed, AnotherVersionError if versions differ, and ImportError
    for a module that is not there.
    """
    if differs := difference(identity(), unit.versions):
        raise AnotherVersionError(f"it has {differs}")
    for module in unit.modules:
        importlib.import_module(module)
    experiment = experiment_from_json(json.loads(unit.experiment), "the unit of work")
    copies = [RunCopy(experiment, member) for member in unit.members]
    with one_device():
        members = [Member(copy) for copy in copies]
        advance_members(members, unit.until, _plan(experiment, unit.slots))
    return [copy.notes for copy in copies]


def group_size(experiment: Experiment, members: int) -> int:
    """Return how many of a population's members one unit has.

    As many as a CPU core computes together, and at least two, as `layout_for` has it. It does
    not depend on who works, because last bits depend on the program that members share.
    """
    form = packed_form(machine_class(experiment))
    cached = 0 if form is None else form.cached_examples
    return max(2, min(members, cached // experiment.training.batch))


@functools.lru_cache(maxsize=2)
def _plan(experiment: Experiment, slots: int) -> Plan:
    """Return a plan for one device; kept, so that a process compiles once for many units."""
    return plan_for(experiment, slots)


class RunCopy:
    """A run in memory: begins at a checkpoint, and notes what a `Run` would write to disk."""

    def __init__(self, experiment: Experiment, member: MemberAt) -> None:
        self.experiment = experiment.with_seed(member.seed)
        self.path = Path(f"seed-{member.seed}")
        self.notes: list[Note] = []
        self._tie, self._last = member.tie, member.last

    def has_last(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._last is not None

    def first(self) -> LastCheckpoint:
        """Return the first training state, and progress zero."""
        return first_checkpoint(self.experiment)

    def load_last(self) -> LastCheckpoint:
        """Return what training goes on from."""
        assert self._last is not None
        like = jax.eval_shape(lambda: first_state(self.experiment))
        path = self.path / "checkpoints" / "last.safetensors"
        state, found = decode_checkpoint(self._last, like, self._tie, path, upgrade_state)
        return last_checkpoint(state, found, path)

    def restore_metrics(self, last: LastCheckpoint, *, with_line: bool) -> bool:
        """Do nothing: metrics stay where the run is."""
        del last, with_line
        return False

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Note a line of metrics."""
        self.notes.append(Note("line", json.dumps(line)))

    def save_best(self, state: TrainState, record: dict[str, Any]) -> None:
        """Note the machine that validated best so far."""
        self._note_machine("best", state, record)

    def save_snapshot(self, state: TrainState, record: dict[str, Any]) -> None:
        """Note the machine as it is now."""
        self._note_machine(f"after-{record['sequences']:010d}", state, record)

    def save_last(
        self, state: TrainState, progress: Progress, line: dict[str, Any] | None = None
    ) -> None:
        """Note the checkpoint to go on from."""
        record = {"progress": dataclasses.asdict(progress), "line": line, "metrics": None}
        self._last = encode_checkpoint(state, record, self._tie)
        self._note(Note("checkpoint", "last", self._last))

    def save_failure(self, reason: str) -> None:
        """Note why training ended."""
        self.notes.append(Note("failure", reason))

    def _note_machine(self, name: str, state: TrainState, record: dict[str, Any]) -> None:
        tree = {"parameters": state.judged, "buffers": state.buffers}
        self._note(Note("checkpoint", name, encode_checkpoint(tree, record, self._tie)))

    def _note(self, note: Note) -> None:
        """Note a checkpoint, in place of an older one of its name."""
        self.notes = [
            old for old in self.notes if old.kind != "checkpoint" or old.text != note.text
        ]
        self.notes.append(note)

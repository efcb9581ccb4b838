"""The command that describes what an NTM does as moves of its heads."""

from __future__ import annotations

from softmachine.cli.sources import open_one
from softmachine.cli.waiting import working
from softmachine.core.capabilities import Headed
from softmachine.core.errors import SoftmachineError, with_article
from softmachine.running.devices import use_all_cores
from softmachine.running.generalization import with_test_options
from softmachine.running.room import check_running
from softmachine.running.scoring import BATCH
from softmachine.traces.head_moves import check_moves, give_account, head_names

LEGEND = """\
Of each head its move (stay, +1, -1; jump: to a row that matches its key), the
row where it is then, ~ if it is between several rows, write if it changed that
row, (of 3) if what it reads there was written in step 3."""


def tell_moves(
    source: str, size: int, seed: int, sequences: int, memory_rows: int | None
) -> None:
    """Print the head moves on one example, and how often these alone give the same output."""
    use_all_cores()
    with working(f"Loading {source}"):
        trained = open_one(source)
    machine, task = trained.machine, trained.experiment.task.held_out(larger=True)
    if not isinstance(machine, Headed):
        raise SoftmachineError(
            f"{source} is {with_article(type(machine).__name__)}: it has no heads whose "
            "moves could be told"
        )
    if memory_rows is not None:
        machine = with_test_options(machine, memory_rows=memory_rows)
    check_running(machine, task, size, sequences, BATCH)
    with working(f"Watching {source}"):
        account = give_account(machine, task, size, seed)
    print(f"{account}\n\n{LEGEND}", flush=True)
    with working(f"Doing the same by moves alone, {sequences:,} times"):
        found = check_moves(machine, task, size, sequences=sequences, seed=seed)
    decided = ", ".join(
        f"{name} {share:.1%}"
        for name, share in zip(head_names(machine.head_layout), found.decided, strict=True)
    )
    print(
        f"\nDone by these moves alone, {found.sequences:,} fresh sequences of size {size}:\n"
        f"  {found.different:.3%} of the outputs differ from the soft machine's\n"
        f"  wrong: {found.wrong_moves:.3%} by moves, {found.wrong_soft:.3%} soft\n"
        f"  steps with a head on one row, not between: {decided}"
    )

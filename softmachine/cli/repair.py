"""The command that mends machines whose hard form makes mistakes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from softmachine.cli.sources import runs_of_machines
from softmachine.cli.waiting import working
from softmachine.evaluation.nram.repair_rates import RepairOutcome, rates, repair_members
from softmachine.running.devices import use_all_cores

COLUMNS = {
    "member": "member",
    "soft": "soft",
    "hard": "hard",
    "changes": "changes",
    "wires": "changed",
    "tuned": "tuned",
    "both": "both",
    "annealed": "annealed",
}


def repair_source(source: str, updates: int, tables: int, examples: int, seed: int) -> None:
    """Try to mend every member that makes mistakes when made hard; print how often it helps."""
    use_all_cores()
    with working(f"Mending {source}"):
        runs = runs_of_machines(source)
        outcomes = repair_members(
            runs, updates=updates, tables=tables, examples=examples, seed=seed
        )
    broken = {
        run.path.name: outcome
        for run, outcome in zip(runs, outcomes, strict=True)
        if outcome.hard
    }
    if broken:
        _print(broken)
    right = rates(outcomes)
    of = f"of {right['members']} members"
    print(f"Made hard, {right['hard']} {of} make no mistake.")
    if broken:
        print(
            f"After changing single wires {right['wires']}, after fine-tuning "
            f"{right['tuned']}, after both {right['both']},\nafter annealing "
            f"{right['annealed']}."
        )


def _print(outcomes: dict[str, RepairOutcome]) -> None:
    caption = "Soft: at the sizes trained on. All others made hard: as they are, with wires "
    caption += "changed, fine-tuned, both, annealed."
    table = Table(title="shares of wrong cells", caption=caption)
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for member, outcome in outcomes.items():
        cells = outcome._asdict() | {"member": member, "changes": str(outcome.changes)}
        table.add_row(
            *[x if isinstance(x := cells[name], str) else f"{x:.1%}" for name in COLUMNS]
        )
    Console().print(table)

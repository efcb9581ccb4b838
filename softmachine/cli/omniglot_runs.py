"""The command that scores machines on the 20 runs of Lake et al."""

from __future__ import annotations

import contextlib
import json

from rich.console import Console
from rich.table import Table

from softmachine.cli.scoring import Changes
from softmachine.cli.sources import open_trained
from softmachine.cli.waiting import working
from softmachine.core.errors import SoftmachineError
from softmachine.evaluation.omniglot_runs import score_runs
from softmachine.running.devices import use_all_cores


def score_source(
    source: str, path: str, orders: int, seed: int, options: Changes, *, as_json: bool
) -> None:
    """Score a run, a population or a model of the zoo, and print the result."""
    use_all_cores()
    with working(f"Loading {source}"):
        members = open_trained(source)
    caption = f"± 95 % over runs; {orders:,} order{'s vote' if orders > 1 else ''}"
    table = Table(title=f"Lake's runs, {path}", caption=caption)
    for head in ("machine", "wrong", "of one order", "best and worst run"):
        table.add_column(head, justify="left" if head == "machine" else "right")
    for member in members:
        with working(f"Testing {member.name}"):
            machine, task = options.apply(member)
            score = score_runs(machine, task, path, orders=orders, seed=seed)
        result = {
            "machine": member.name,
            "options": options.to_json(),
            "orders": orders,
            "seed": seed,
            "error": score.error,
            "margin": score.margin,
            "single_error": float(score.single_errors.mean()),
            "errors": score.errors.tolist(),
            "may_have_seen": score.may_have_seen,
        }
        if member.run is not None:
            with contextlib.suppress(SoftmachineError):  # a read-only run can be scored
                member.run.save_result("omniglot-runs", result)
        if as_json:
            print(json.dumps(result), flush=True)
        if score.may_have_seen:
            table.caption = f"{caption}\nNot a fair score: in training it may have seen them."
        table.add_row(
            member.name,
            f"{score.error:.1%} ± {score.margin:.1%}",
            f"{score.single_errors.mean():.1%}",
            f"{score.errors.min():.0%}, {score.errors.max():.0%}",
        )
    if not as_json:
        Console().print(table)

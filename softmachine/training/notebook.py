"""The progress of a training in a notebook: a bar that changes in place, without widgets."""

from __future__ import annotations

import html
import sys
import time
from typing import Any

from softmachine.experiments.progress import Progress
from softmachine.experiments.runs import Run


def in_notebook() -> bool:
    """Return whether this process computes for a notebook, which shows HTML."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """What `train` tells of a run in a notebook; call it after every validation.

    It is an HTML ``<progress>`` with a line of text, updated in place by IPython's own display
    protocol, so that it stays in a saved notebook as it was last.
    """

    def __init__(self, run: Run) -> None:
        """Show where the run stands, and that updates are compiled; IPython has to be there."""
        from IPython.display import display

        self._run = run
        self._begin = time.monotonic()
        before = run.load_progress()
        done = 0 if before is None else before.sequences
        what = "finished before" if before is not None and before.finished else "compiling"
        self._handle: Any = display(self._bundle(done, what), raw=True, display_id=True)

    def __call__(self, progress: Progress, line: dict[str, Any]) -> None:
        """Show how far it is and how good, in place of what was shown before."""
        if self._handle is not None:
            shown = self._bundle(progress.sequences, self._told(progress, line))
            self._handle.update(shown, raw=True)

    def _told(self, progress: Progress, line: dict[str, Any]) -> str:
        task = self._run.experiment.task
        said = [
            f"{progress.sequences:,} sequences",
            f"{line[f'validation_{task.error}']:.3g} {task.error.replace('_', ' ')}",
            f"{line['validation_bits']:.3g} bits",
            f"{line['sequences_per_second']:,.0f} a second",
            f"{time.monotonic() - self._begin:.0f} s",
        ]
        if progress.solved_sequences is not None:
            said.append(f"solved after {progress.solved_sequences:,}")
        elif progress.finished and self._run.experiment.training.solved is not None:
            said.append("not solved")
        return ", ".join(said)

    def _bundle(self, sequences: int, text: str) -> dict[str, str]:
        experiment = self._run.experiment
        name = f"{experiment.recipe}, seed {experiment.training.seed}"
        most = experiment.training.max_sequences
        return {
            "text/plain": f"{name}: {text}",
            "text/html": (
                f"<div>{html.escape(name)} "
                f'<progress max="{most}" value="{sequences}" aria-label="training"></progress> '
                f"{html.escape(text)}</div>"
            ),
        }

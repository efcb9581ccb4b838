"""Trainings that take a second or two, of every kind that there is."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Small programs, that differ by nothing but what they compute.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

NTM = """
--task.width 3 --machine.memory-rows 8 --machine.memory-columns 5
--machine.controller.hidden 12 --training.batch 4 --training.curriculum.largest 4
--training.validate-every 20 --training.checkpoint-every 40 --training.solved.sequences 20
""".split()  # noqa: SIM905
GATES = ("READ", "ONE", "INC", "WRITE")


def ntm(run: str, sequences: int, *more: str) -> list[str]:
    """Return the command that trains a small NTM."""
    length = ["--training.max-sequences", str(sequences)]
    return ["train", "ntm-copy", *NTM, *length, "--run", run, *more]


def synthesize(run: str) -> list[str]:
    """Return the command that looks for a program behind the lines of `write_examples`."""
    options = """
    --members 2 --enough 2 --registers 2 --memory 9 --minutes 600
    """.split()  # noqa: SIM905
    return ["synthesize", "examples.jsonl", "--run", run, *options, "--gates", *GATES]


def write_examples(directory: Path) -> None:
    """Write lines in which cell 0 is to be what the cell holds that it points to."""
    lines = []
    for cells in (4, 5, 6, 20):
        for i in range(8):
            memory = [1 + i % (cells - 1), *((i + 3 * j) % cells for j in range(1, cells))]
            after = [memory[memory[0]], *memory[1:]]
            mask = [1, *[0] * (cells - 1)]
            lines.append(json.dumps({"input": memory, "output": after, "mask": mask}))
    (directory / "examples.jsonl").write_text("\n".join(lines) + "\n")


def nram():
    """Return the experiment of an NRAM whose wires are searched, and that begins again."""
    from softmachine.experiments.curricula import Uniform
    from softmachine.experiments.experiment import Experiment, TrainingConfig
    from softmachine.machines.nram.nram import NRAMConfig, NRAMControllerConfig
    from softmachine.tasks.memories.arrays import Access
    from softmachine.training.nram.objective import NRAMLoss
    from softmachine.training.nram.wire_search import WireSearch
    from softmachine.training.phases import Restart

    return Experiment(
        recipe="small",
        task=Access(),
        machine=NRAMConfig(registers=2, gates=GATES, controller=NRAMControllerConfig(hidden=8)),
        training=TrainingConfig(
            batch=4,
            max_sequences=240,
            curriculum=Uniform(smallest=1, largest=3),
            objective=NRAMLoss(entropy_bonus_range=(0.01, 0.1), late_entropy_penalty=0.01),
            gradient_noise=0.01,
            solved=None,
            phases=(
                WireSearch(updates=10, error=1.0, tables=20_000, examples=32),
                Restart(rules=((25, 0.2),)),
            ),
            validate_every=20,
            checkpoint_every=40,
        ),
    )

"""Differentiable computers in JAX: soft while they learn, hard when they run."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Loaded on first use, so that importing the package, and with it the command line's help,
# stays instant.
_HOMES = {
    "Access": "softmachine.tasks.memories.arrays",
    "AssociativeRecall": "softmachine.tasks.sequences.associative_recall",
    "Bits": "softmachine.core.specs.bits",
    "Controller": "softmachine.machines.parts.controllers",
    "ControllerConfig": "softmachine.machines.parts.controllers",
    "Copy": "softmachine.tasks.sequences.copy",
    "Example": "softmachine.core.example",
    "Experiment": "softmachine.experiments.experiment",
    "Gate": "softmachine.machines.nram.gates",
    "Growing": "softmachine.experiments.curricula",
    "Increment": "softmachine.tasks.memories.arrays",
    "Linear": "softmachine.machines.parts.linear",
    "ListK": "softmachine.tasks.memories.lists",
    "ListSearch": "softmachine.tasks.memories.lists",
    "LoopLinear": "softmachine.machines.parts.linear",
    "Machine": "softmachine.machines.machine",
    "MemoryCopy": "softmachine.tasks.memories.arrays",
    "MemoryTask": "softmachine.tasks.memory",
    "Merge": "softmachine.tasks.memories.arrays",
    "NGrams": "softmachine.tasks.sequences.ngrams",
    "NRAM": "softmachine.machines.nram.nram",
    "NRAMConfig": "softmachine.machines.nram.nram",
    "NRAMControllerConfig": "softmachine.machines.nram.nram",
    "NRAMLoss": "softmachine.experiments.objectives",
    "NTM": "softmachine.machines.ntm.ntm",
    "NTMConfig": "softmachine.machines.ntm.ntm",
    "NTM_PRESETS": "softmachine.machines.ntm.ntm",
    "OptimizerConfig": "softmachine.experiments.optimizers",
    "Permutation": "softmachine.tasks.memories.arrays",
    "PrioritySort": "softmachine.tasks.sequences.priority_sort",
    "RECIPES": "softmachine.recipes",
    "RecurrentConfig": "softmachine.machines.recurrent",
    "RepeatCopy": "softmachine.tasks.sequences.repeat_copy",
    "Restart": "softmachine.experiments.settings",
    "Reverse": "softmachine.tasks.memories.arrays",
    "ReverseString": "softmachine.tasks.languages.reverse_string",
    "Rising": "softmachine.experiments.curricula",
    "Run": "softmachine.experiments.runs",
    "Search": "softmachine.experiments.settings",
    "SequenceTask": "softmachine.tasks.task",
    "SoftmachineError": "softmachine.core.errors",
    "SolvedConfig": "softmachine.experiments.experiment",
    "Swap": "softmachine.tasks.memories.arrays",
    "Task": "softmachine.tasks.task",
    "TrainingConfig": "softmachine.experiments.experiment",
    "Uniform": "softmachine.experiments.curricula",
    "WalkBST": "softmachine.tasks.memories.trees",
    "Symbols": "softmachine.core.specs.symbols",
    "create_population": "softmachine.experiments.population",
    "evaluate": "softmachine.running.generalization",
    "from_pytorch_ntm": "softmachine.machines.ntm.pytorch_ntm",
    "get_recipe": "softmachine.recipes",
    "load_trace": "softmachine.traces.file",
    "open_population": "softmachine.experiments.population",
    "record": "softmachine.traces.recording",
    "run_batch": "softmachine.running.loop",
    "run_hard": "softmachine.machines.nram.hard",
    "score_batch": "softmachine.running.scoring",
    "split_trainable": "softmachine.machines.machine",
    "to_pytorch_ntm": "softmachine.machines.ntm.pytorch_ntm",
    "trace": "softmachine.traces.making",
    "train": "softmachine.training.trainer",
    "train_members": "softmachine.training.trainer",
    "use_all_cores": "softmachine.running.devices",
    "use_compilation_cache": "softmachine.core.compilation_cache",
    "with_test_options": "softmachine.running.generalization",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name == "zoo":
        return importlib.import_module("softmachine.zoo")
    if name not in _HOMES:
        raise AttributeError(f"module 'softmachine' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return all public names, so that an editor's completion finds them before their use."""
    return sorted({*globals(), *__all__, "zoo"})

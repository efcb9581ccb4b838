"""Differentiable computers in JAX: soft while they learn, hard when they run."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Loaded on first use, so that importing the package, and with it the command line's help,
# stays instant.
_HOMES = {
    "Access": "softmachine.tasks.memory_arrays",
    "AssociativeRecall": "softmachine.tasks.associative_recall",
    "Bits": "softmachine.tasks.outputs",
    "Controller": "softmachine.machines.controllers",
    "ControllerConfig": "softmachine.machines.controllers",
    "Copy": "softmachine.tasks.copy",
    "Example": "softmachine.tasks.task",
    "Experiment": "softmachine.training.experiment",
    "Gate": "softmachine.machines.gates",
    "Growing": "softmachine.training.curricula",
    "Increment": "softmachine.tasks.memory_arrays",
    "Linear": "softmachine.machines.linear",
    "ListK": "softmachine.tasks.memory_lists",
    "ListSearch": "softmachine.tasks.memory_lists",
    "LoopLinear": "softmachine.machines.linear",
    "Machine": "softmachine.machines.machine",
    "MemoryCopy": "softmachine.tasks.memory_arrays",
    "MemoryTask": "softmachine.tasks.memory",
    "Merge": "softmachine.tasks.memory_arrays",
    "NGrams": "softmachine.tasks.ngrams",
    "NRAM": "softmachine.machines.nram",
    "NRAMConfig": "softmachine.machines.nram",
    "NRAMControllerConfig": "softmachine.machines.nram",
    "NRAMLoss": "softmachine.training.objectives",
    "NTM": "softmachine.machines.ntm",
    "NTMConfig": "softmachine.machines.ntm",
    "NTM_PRESETS": "softmachine.machines.ntm",
    "OptimizerConfig": "softmachine.training.optimizers",
    "Permutation": "softmachine.tasks.memory_arrays",
    "PredictionGain": "softmachine.training.curricula",
    "PrioritySort": "softmachine.tasks.priority_sort",
    "RECIPES": "softmachine.recipes",
    "RecurrentConfig": "softmachine.machines.recurrent",
    "RepeatCopy": "softmachine.tasks.repeat_copy",
    "Restart": "softmachine.training.search",
    "Reverse": "softmachine.tasks.memory_arrays",
    "Rising": "softmachine.training.curricula",
    "Run": "softmachine.training.runs",
    "Search": "softmachine.training.search",
    "SequenceTask": "softmachine.tasks.task",
    "SoftmachineError": "softmachine.errors",
    "SolvedConfig": "softmachine.training.experiment",
    "Swap": "softmachine.tasks.memory_arrays",
    "Task": "softmachine.tasks.task",
    "TrainingConfig": "softmachine.training.experiment",
    "Uniform": "softmachine.training.curricula",
    "WalkBST": "softmachine.tasks.memory_trees",
    "create_population": "softmachine.training.population",
    "evaluate": "softmachine.evaluation.generalization",
    "from_pytorch_ntm": "softmachine.machines.pytorch_ntm",
    "get_recipe": "softmachine.recipes",
    "load_trace": "softmachine.traces.file",
    "open_population": "softmachine.training.population",
    "record": "softmachine.traces.recording",
    "run_batch": "softmachine.machines.loop",
    "run_hard": "softmachine.machines.nram_hard",
    "score_batch": "softmachine.evaluation.scoring",
    "split_trainable": "softmachine.machines.machine",
    "to_pytorch_ntm": "softmachine.machines.pytorch_ntm",
    "trace": "softmachine.traces.making",
    "train": "softmachine.training.trainer",
    "train_members": "softmachine.training.trainer",
    "use_all_cores": "softmachine.training.devices",
    "use_compilation_cache": "softmachine.compilation_cache",
    "with_test_options": "softmachine.evaluation.generalization",
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

"""Differentiable computers in JAX: soft while they learn, hard when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

__version__ = "0.1.0"

# Loaded on first use, so that importing the package, and with it the command line's help,
# stays instant. What belongs to one part has its name there: softmachine.tasks.Copy.
_HOMES = {
    "Experiment": "softmachine.experiments.experiment",
    "Run": "softmachine.experiments.runs",
    "SoftmachineError": "softmachine.core.errors",
    "TrainingConfig": "softmachine.experiments.experiment",
    "create_population": "softmachine.experiments.population",
    "evaluate": "softmachine.running.generalization",
    "experiments": "softmachine.experiments",
    "get_recipe": "softmachine.recipes.registry",
    "load_trace": "softmachine.traces.file",
    "machines": "softmachine.machines",
    "open_population": "softmachine.experiments.population",
    "programs": "softmachine.programs",
    "recipes": "softmachine.recipes",
    "record": "softmachine.traces.recording",
    "run_batch": "softmachine.running.loop",
    "score_batch": "softmachine.running.scoring",
    "synthesize": "softmachine.synthesis.whole",
    "tasks": "softmachine.tasks",
    "trace": "softmachine.traces.making",
    "traces": "softmachine.traces",
    "training": "softmachine.training",
    "train": "softmachine.training.trainer",
    "train_members": "softmachine.training.trainer",
    "use_all_cores": "softmachine.running.devices",
    "use_compilation_cache": "softmachine.core.compilation_cache",
    "with_test_options": "softmachine.running.generalization",
    "zoo": "softmachine.zoo",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine import experiments as experiments
    from softmachine import machines as machines
    from softmachine import programs as programs
    from softmachine import recipes as recipes
    from softmachine import tasks as tasks
    from softmachine import traces as traces
    from softmachine import training as training
    from softmachine import zoo as zoo
    from softmachine.core.compilation_cache import (
        use_compilation_cache as use_compilation_cache,
    )
    from softmachine.core.errors import SoftmachineError as SoftmachineError
    from softmachine.experiments.experiment import Experiment as Experiment
    from softmachine.experiments.experiment import TrainingConfig as TrainingConfig
    from softmachine.experiments.population import create_population as create_population
    from softmachine.experiments.population import open_population as open_population
    from softmachine.experiments.runs import Run as Run
    from softmachine.recipes.registry import get_recipe as get_recipe
    from softmachine.running.devices import use_all_cores as use_all_cores
    from softmachine.running.generalization import evaluate as evaluate
    from softmachine.running.generalization import with_test_options as with_test_options
    from softmachine.running.loop import run_batch as run_batch
    from softmachine.running.scoring import score_batch as score_batch
    from softmachine.synthesis.whole import synthesize as synthesize
    from softmachine.traces.file import load_trace as load_trace
    from softmachine.traces.making import trace as trace
    from softmachine.traces.recording import record as record
    from softmachine.training.trainer import train as train
    from softmachine.training.trainer import train_members as train_members
else:
    _PARTS = ("machines", "tasks", "experiments", "training", "programs", "traces")
    __getattr__, __dir__ = lazy_names(__name__, _HOMES, _PARTS)

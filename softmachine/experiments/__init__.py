"""Experiments as data, and the directories that hold their runs and populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names

_HOMES = {
    "Experiment": "softmachine.experiments.experiment",
    "Growing": "softmachine.experiments.curricula",
    "MeanLoss": "softmachine.experiments.objectives",
    "Objective": "softmachine.experiments.objectives",
    "OneSize": "softmachine.experiments.curricula",
    "OptimizerConfig": "softmachine.experiments.optimizers",
    "Phase": "softmachine.experiments.phases",
    "Rising": "softmachine.experiments.curricula",
    "Run": "softmachine.experiments.runs",
    "Search": "softmachine.experiments.settings",
    "SolvedConfig": "softmachine.experiments.experiment",
    "TaskLoss": "softmachine.experiments.objectives",
    "TrainingConfig": "softmachine.experiments.experiment",
    "Uniform": "softmachine.experiments.curricula",
    "cite": "softmachine.experiments.papers",
    "create_population": "softmachine.experiments.population",
    "open_population": "softmachine.experiments.population",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.experiments.curricula import Growing as Growing
    from softmachine.experiments.curricula import OneSize as OneSize
    from softmachine.experiments.curricula import Rising as Rising
    from softmachine.experiments.curricula import Uniform as Uniform
    from softmachine.experiments.experiment import Experiment as Experiment
    from softmachine.experiments.experiment import SolvedConfig as SolvedConfig
    from softmachine.experiments.experiment import TrainingConfig as TrainingConfig
    from softmachine.experiments.objectives import MeanLoss as MeanLoss
    from softmachine.experiments.objectives import Objective as Objective
    from softmachine.experiments.objectives import TaskLoss as TaskLoss
    from softmachine.experiments.optimizers import OptimizerConfig as OptimizerConfig
    from softmachine.experiments.papers import cite as cite
    from softmachine.experiments.phases import Phase as Phase
    from softmachine.experiments.population import create_population as create_population
    from softmachine.experiments.population import open_population as open_population
    from softmachine.experiments.runs import Run as Run
    from softmachine.experiments.settings import Search as Search
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

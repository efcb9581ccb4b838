"""Recipes of the Neural GPUs: symbols rearranged, numbers added and multiplied.

All train on up to 41 symbols, as their papers do, on fresh examples of all lengths, and go on
until they make no mistake at 41, nor on longer sequences, or until their sequences are used up.
To be right at 41 takes a few hundred updates for symbols rearranged. To be right at ten times
the length is another thing, and what the last phase asks for. Without more, machines lose it
again: once nothing is wrong, the optimiser's relative steps go on as large as before, in any
direction. Two things that go beyond the paper keep it: noise on the state, which only those
stand that bring it back to the ends of their non-linearities in every step, and running
averages of the parameters.
"""

from __future__ import annotations

from typing import Any

from softmachine.experiments.curricula import Curriculum, Growing, Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.objectives import MeanLoss, Objective, TaskLoss
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.experiments.phases import Phase
from softmachine.machines.dngpu import DNGPUConfig
from softmachine.machines.neural_gpu import NEURAL_GPU_PRESETS
from softmachine.tasks.arithmetic.aligned import AlignedTask
from softmachine.tasks.arithmetic.numbers import AddNumbers, MultiplyNumbers
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols
from softmachine.training.larger import Larger
from softmachine.training.neural_gpu.relaxation import Relaxation

LARGEST = 41
"""The longest sequences that are trained on: twenty digits for each of two numbers."""
BATCH = 32
VALIDATE_EVERY = 100 * BATCH


def dngpu_copy() -> Experiment:
    """Diagonal Neural GPU: copy up to 41 symbols."""
    return _dngpu("dngpu-copy", RearrangeSymbols(operation="copy"))


def dngpu_reverse() -> Experiment:
    """Diagonal Neural GPU: reverse up to 41 symbols."""
    return _dngpu("dngpu-reverse", RearrangeSymbols(operation="reverse"))


def dngpu_duplicate() -> Experiment:
    """Diagonal Neural GPU: say up to 20 symbols twice.

    Long sequences count no more than short ones, and noise alone does without dropout: each of
    the two makes it learn faster. With 64 longer sequences of a size to be right on instead of
    512, three of ten seeds were wrong afterwards on 4 to 14 of 1,024.
    """
    task = RearrangeSymbols(operation="duplicate")
    return _dngpu("dngpu-duplicate", task, objective=MeanLoss(), longer=512, dropout=0.0)


def dngpu_sort() -> Experiment:
    """Diagonal Neural GPU: sort up to 41 bits, that is, count them."""
    return _dngpu("dngpu-sort", RearrangeSymbols(operation="sort"))


def dngpu_addition() -> Experiment:
    """Diagonal Neural GPU: add two binary numbers of up to 20 digits; two in five carry far."""
    task = AddNumbers(hard=0.4)
    growing = Growing(
        smallest=3, largest=LARGEST, start=7, rise=2, threshold=0.6, patience=20, back=0.5
    )
    return _dngpu("dngpu-addition", task, curriculum=growing, sequences=640_000, noise=0.1)


def dngpu_multiplication() -> Experiment:
    """Diagonal Neural GPU: multiply two binary numbers of up to 20 digits.

    Not trained yet. An update takes 0.31 s of one core (AMD EPYC), so that all 20,000 take an
    hour and three quarters, and with examinations of long sequences about two.
    """
    return _dngpu("dngpu-multiplication", MultiplyNumbers(), maps=96, sequences=640_000)


def neural_gpu_addition() -> Experiment:
    """Neural GPU: add two binary numbers of up to 20 digits, with the paper's six sets.

    Not trained yet. An update takes a second of one core (AMD EPYC) at all lengths, so that all
    30,000 take at most eight and a half hours.
    """
    sequences = 30_000 * BATCH
    growing = Growing(
        smallest=3, largest=LARGEST, start=8, rise=2, threshold=0.3, forward=0.2, back=0.4
    )
    return Experiment(
        recipe="neural-gpu-addition",
        task=AddNumbers(hard=0.4),
        machine=NEURAL_GPU_PRESETS["paper"],
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=sequences,
            optimizer=OptimizerConfig(learning_rate=1e-3, epsilon=1e-4, clip_norm=1.0),
            curriculum=growing,
            objective=MeanLoss(),
            gradient_noise=0.01,
            noise_by_error=True,
            keep_every=None,
            **_until_right(Relaxation(), Larger(sizes=(101,))),
        ),
    )


def _dngpu(
    name: str,
    task: AlignedTask,
    *,
    curriculum: Curriculum = Uniform(smallest=3, largest=LARGEST),
    sequences: int = 320_000,
    objective: Objective = TaskLoss(),
    longer: int = 64,
    **sizes: Any,
) -> Experiment:
    machine = DNGPUConfig(**({"maps": 24, "noise": 0.2} | sizes))
    return Experiment(
        recipe=name,
        task=task,
        machine=machine,
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=sequences,
            optimizer=OptimizerConfig(
                kind="clipped-adamax",
                learning_rate=0.01 * 48 / machine.maps,
                clip_norm=None,
                schedule="plateau",
                decay_steps=200,
            ),
            curriculum=curriculum,
            objective=objective,
            averaging=0.97,
            **_until_right(Larger(sizes=(100, 401), sequences=longer)),
        ),
    )


def _until_right(*phases: Phase) -> dict[str, Any]:
    """Return settings of a training that ends with the first validation that all agree to."""
    return {
        "solved": SolvedConfig(sequences=1000, bits=None),
        "validate_every": VALIDATE_EVERY,
        "checkpoint_every": 5 * VALIDATE_EVERY,
        "phases": phases,
    }

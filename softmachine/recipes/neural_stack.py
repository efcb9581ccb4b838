"""Recipes of the neural stack, queue and deque: sequences reordered and translated.

Smaller than in their paper, which has an LSTM of 256 or 512, values of 256 numbers, 128 symbols
and sequences of 8 to 64: short sequences of few symbols are enough to learn what to do with a
memory. A member is solved once it makes no mistake on what it trains on, nor on longer ones; a
stack in its hard form, since queues learn to use strengths between 0 and 1.
"""

from __future__ import annotations

from softmachine.experiments.curricula import Uniform
from softmachine.experiments.experiment import Experiment, SolvedConfig, TrainingConfig
from softmachine.experiments.optimizers import OptimizerConfig
from softmachine.machines.neural_stack import NeuralStackConfig, Structure
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.tasks.languages.transductions import Reordering, Transduction
from softmachine.tasks.languages.translations import Translation
from softmachine.training.larger import Larger

BATCH = 32


def neural_queue_copy() -> Experiment:
    """Neural queue: copy 2 to 12 symbols."""
    return _reordering("neural-queue-copy", "queue", Reordering(symbols=16))


def neural_stack_reverse() -> Experiment:
    """Neural stack: reverse 2 to 12 symbols."""
    task = Reordering(operation="reverse", symbols=16)
    return _reordering("neural-stack-reverse", "stack", task)


def neural_deque_copy() -> Experiment:
    """Neural deque: copy 2 to 12 symbols."""
    return _reordering("neural-deque-copy", "deque", Reordering(symbols=16))


def neural_deque_reverse() -> Experiment:
    """Neural deque: reverse 2 to 12 symbols."""
    task = Reordering(operation="reverse", symbols=16)
    return _reordering("neural-deque-reverse", "deque", task)


def neural_queue_bigrams() -> Experiment:
    """Neural queue: swap each two neighbours of 2 to 12 symbols."""
    task = Reordering(operation="flip-bigrams", symbols=16)
    return _reordering("neural-queue-bigrams", "queue", task)


def neural_deque_svo_sov() -> Experiment:
    """Neural deque: translate 5 to 24 words, subject, verb, object to subject, object, verb."""
    return _translation("neural-deque-svo-sov", "deque", Translation(most=24))


def neural_queue_gender() -> Experiment:
    """Neural queue: translate 5 to 24 words into a language whose articles have genders."""
    return _translation("neural-queue-gender", "queue", Translation(grammar="gender", most=24))


def _reordering(name: str, structure: Structure, task: Reordering) -> Experiment:
    return _experiment(name, structure, task, Uniform(smallest=2, largest=12), (32, 128))


def _translation(name: str, structure: Structure, task: Translation) -> Experiment:
    sizes = Uniform(smallest=task.smallest, largest=task.most)
    return _experiment(name, structure, task, sizes, (48, 128))


def _experiment(
    name: str,
    structure: Structure,
    task: Transduction,
    sizes: Uniform,
    larger: tuple[int, ...],
) -> Experiment:
    return Experiment(
        recipe=name,
        task=task,
        machine=NeuralStackConfig(
            structure=structure,
            controller=ControllerConfig(kind="lstm", hidden=64),
            memory_columns=16,
            output_columns=32,
        ),
        training=TrainingConfig(
            batch=BATCH,
            max_sequences=8000 * BATCH,
            optimizer=OptimizerConfig(learning_rate=5e-3, clip_norm=1.0),
            curriculum=sizes,
            solved=SolvedConfig(sequences=512, bits=None),
            validate_every=500 * BATCH,
            checkpoint_every=2000 * BATCH,
            phases=(Larger(sizes=larger, sequences=64, hard=structure == "stack"),),
        ),
    )

"""What every contender is asked to do."""

from __future__ import annotations

import dataclasses
from typing import Literal, Protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """Training an NTM (LSTM controller, 1 read head, 1 write head) on the copy task.

    A sequence is ``length`` random words of ``bits`` bits, a delimiter in a channel of
    its own, and ``length`` empty inputs during which the words are to be repeated. The
    loss is the cross-entropy of those outputs, summed over each sequence and averaged
    over the batch. Every update draws new sequences.
    """

    contender: str
    """Who does it; a key of ``worker.SIDES``."""
    batch: int = 16
    length: int = 20
    memory_rows: int = 128
    memory_columns: int = 20
    order: Literal["read-write", "address-write-read"] = "read-write"
    """Which memory the read head reads: the old one, or the one just written."""
    bits: int = 8
    hidden: int = 100
    learning_rate: float = 5e-4
    """Of Adam, with its usual other settings."""
    gradient_norm: float = 10.0
    """Gradients of larger global norm are scaled down to it."""
    torch_threads: int | None = None
    """Threads of a PyTorch contender; None leaves PyTorch's default, one per core."""
    peer_path: str | None = None
    """Checkout of the contender's code, where that is not installed."""

    @property
    def inputs(self) -> int:
        """Input channels: the bits and the delimiter."""
        return self.bits + 1

    @property
    def steps(self) -> int:
        """Steps per sequence: words, delimiter, words again."""
        return 2 * self.length + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneShot:
    """Training a MANN on episodes of one-shot learning, as the recipe ``mann-glyphs`` does.

    An episode has ``steps`` images, each given together with the name of the image before. The
    loss is the cross-entropy of the images' names, summed over each episode and averaged over
    the batch. The sizes are those of the recipe, which ``one_shot_agreement.py`` checks.
    """

    contender: str
    """Who does it; a key of ``worker.SIDES``."""
    cores: int
    """On how many cores the contender may run."""
    batch: int = 16
    names: int = 5
    """Classes of an episode, and names for them."""
    steps: int = 50
    side: int = 20
    """Of an image, in pixels."""
    hidden: int = 200
    memory_rows: int = 128
    memory_columns: int = 40
    heads: int = 4
    usage_decay: float = 0.95
    learning_rate: float = 1e-3
    """Of Adam, with its usual other settings."""
    gradient_norm: float = 10.0
    """Gradients of larger global norm are scaled down to it."""

    @property
    def inputs(self) -> int:
        """Input channels: pixels, and the name before."""
        return self.side**2 + self.names


@dataclasses.dataclass(frozen=True, kw_only=True)
class DNCWork:
    """Training a DNC (LSTM controller) to copy one pattern of `copy-reuse`.

    A sequence is ``length`` random vectors of ``bits`` bits, a marker in a channel of its own,
    and ``length`` + 1 steps in which the vectors and a marker are to be repeated. The loss is
    the cross-entropy of those outputs, summed over each sequence and averaged over the batch.
    """

    contender: str
    """Who does it; a key of ``worker.DNC_SIDES``."""
    batch: int = 16
    length: int = 20
    bits: int = 8
    hidden: int = 64
    memory_rows: int = 64
    memory_columns: int = 16
    read_heads: int = 4
    links: Literal["dense", "sparse", "none"] = "dense"
    """Of softmachine alone; the others have dense ones."""
    learning_rate: float = 1e-3
    """Of Adam, with its usual other settings."""
    gradient_norm: float = 10.0
    """Gradients of larger global norm are scaled down to it."""
    peer_path: str | None = None
    """Checkout of the contender's code, where that is not installed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StackWork:
    """Training the vector Stack-RNN of Deletang et al. 2023 to reverse strings of 0 and 1.

    A string of ``length`` letters is read, then as many blanks, at which it is due backwards.
    The loss is the mean cross-entropy of a letter. Sizes are the paper's.
    """

    contender: str
    """Who does it; a key of ``worker.STACK_SIDES``."""
    batch: int = 32
    length: int = 40
    hidden: int = 256
    memory_rows: int = 128
    memory_columns: int = 8
    learning_rate: float = 1e-3
    """Of Adam, with its usual other settings."""
    gradient_norm: float = 1.0
    """Gradients of larger global norm are scaled down to it."""
    peer_path: str | None = None
    """Checkout of the contender's code, where that is not installed."""


AnyWork = Workload | OneShot | DNCWork | StackWork


class Contender(Protocol):
    """One implementation, ready to train; it keeps its parameters between calls."""

    facts: dict[str, str | int]
    """Versions, threads, parameter count, and how it trains."""

    def run(self, updates: int) -> float:
        """Make that many updates, wait until they are done, return the last loss."""

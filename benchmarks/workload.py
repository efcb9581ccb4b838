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


class Contender(Protocol):
    """One implementation, ready to train; it keeps its parameters between calls."""

    facts: dict[str, str | int]
    """Versions, threads, parameter count, and how it trains."""

    def run(self, updates: int) -> float:
        """Make that many updates, wait until they are done, return the last loss."""

"""The choices that the NTM paper leaves open, each with its alternatives, and their checks.

Public code fills them differently; `NTM_PRESETS` in `presets.py` bundles the choices of one
source each.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from softmachine.core.choices import Count, Few, NonNegative, Positive, check_fields
from softmachine.machines.machine import MachineConfig
from softmachine.machines.ntm.addressing import NORM_SMOOTHING
from softmachine.machines.parts.controllers import ControllerConfig

Activation = Literal["linear", "tanh", "relu", "sigmoid"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NTMTestOptions:
    """How the heads of a trained NTM attend in a test."""

    hard: bool = False
    """Put all weight on the row that has most."""
    wrap: bool = True
    """Whether shifts go around the ends of the memory, as in Eq. 8."""
    sharpening_factor: Positive = 1.0
    """Multiplies the sharpening exponent gamma of Eq. 9."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NTMChoices(MachineConfig):
    """Sizes of an NTM, and every choice on which its public versions differ.

    `softmachine.machines.ntm.ntm.NTMConfig` is these choices and builds the machine.
    """

    controller: ControllerConfig = ControllerConfig()
    memory_rows: Count = 128
    memory_columns: Count = 20
    read_heads: Few = 1
    write_heads: Few = 1
    shifts: Count = 3
    """How many neighbouring shifts a head chooses from; number ``shifts // 2`` stays."""
    order: Literal["write-read", "read-write", "address-write-read", "alternate"] = "write-read"
    """``write-read``: write heads address the old memory and write, then read heads
    address and read the new one. ``read-write``: all heads address the old memory, reads
    come from it. ``address-write-read``: all heads address the old memory, reads come
    from the new one. ``alternate``: first read head, first write head, second read head,
    ...; each addresses the memory as the head before left it."""
    write_composition: Literal["erase-then-add", "sequential"] = "erase-then-add"
    """Several write heads: all erases and then all adds, as the paper has it, or each
    head's erase and add in turn. ``alternate`` order implies the second."""
    feed_reads: bool = True
    """Whether the controller sees the previous reads."""
    output_from: Literal["controller+reads", "reads", "controller"] = "controller+reads"
    key_activation: Activation = "linear"
    add_activation: Activation = "linear"
    head_clip: Positive | None = 20.0
    """Bound of the heads' values before their activations."""
    similarity_smoothing: NonNegative = NORM_SMOOTHING
    """Added to the squared norms of keys and rows; of no source, for the sake of training.
    Rows much shorter than its root look like zero; gradients grow with one over that root."""
    similarity_epsilon: NonNegative = 0.0
    """Added to the product of the two norms by which a dot product is divided. Most sources
    have 1e-8 here, and no smoothing. A row of zeros then passes gradients on multiplied by
    one over it."""
    sharpening_smoothing: NonNegative = 0.0
    """Added to the sum of a weighting's powers, by which sharpening divides; some public
    code has 1e-16. Flat weightings under a large exponent then sum to less than one."""
    initial_memory: Literal["constant", "learned", "random", "resampled"] = "constant"
    """``random``: uniform, drawn once and never trained; ``resampled``: uniform, drawn
    anew for every sequence."""
    initial_memory_range: tuple[float, float] = (1e-6, 1e-6)
    """Bounds of the uniform distribution; ``constant`` takes the lower one."""
    initial_weightings: Literal["learned", "first-row", "random-row", "uniform", "zeros"] = (
        "learned"
    )
    """``learned``: softmax of logits drawn from N(0, 1) and trained."""
    initial_reads: Literal["zeros", "learned", "random"] = "zeros"
    """``random``: drawn once from N(0, 0.01²) and never trained."""
    wrap: bool = True
    """Whether a head that is shifted beyond one end of the memory comes back at the other,
    as in the paper. If not, the weight that would leave stays on the end row."""
    sharpening_factor: Positive = 1.0
    """Multiplies the sharpening exponent; the product is kept at 1 or above."""
    hard: bool = False
    """Whether all weight goes to the row that has most after sharpening, the first of
    equals. Such a head passes no gradient on. First weightings stay as they are."""

    def __post_init__(self) -> None:
        """Check sizes and refuse initial states that the machine could never leave."""
        check_fields(self)
        if self.shifts > self.memory_rows:
            raise ValueError(
                f"NTM shifts ({self.shifts}) must not exceed memory_rows ({self.memory_rows})"
            )
        if self.similarity_smoothing == self.similarity_epsilon == 0:
            raise ValueError(
                "NTM similarity_smoothing and similarity_epsilon must not both be 0: the "
                "similarity to a row of zeros would be 0 / 0"
            )
        low, high = self.initial_memory_range
        if low > high:
            raise ValueError(f"NTM initial_memory_range must be (low, high), not {low, high}")
        identical_rows = self.initial_memory == "constant" or low == high
        if identical_rows and self.initial_weightings in ("uniform", "zeros"):
            raise ValueError(
                f"NTM with identical memory rows (initial_memory={self.initial_memory!r}) and "
                f"initial_weightings={self.initial_weightings!r} cannot tell its rows apart: "
                "they stay equal for ever, one usable slot. Take initial_weightings='learned' "
                "or 'first-row', or initial_memory='random' with a range of numbers"
            )

    @property
    def published_as(self) -> str:
        """What the NTM paper would call the machine: ``ntm-lstm``, ``ntm-ff``, ..."""
        return f"ntm-{self.controller.published_as}"

    @property
    def test_options(self) -> NTMTestOptions:
        """How the heads attend."""
        return NTMTestOptions(
            hard=self.hard, wrap=self.wrap, sharpening_factor=self.sharpening_factor
        )

"""The choices of a DNC: sizes, where public code leaves the paper, and the fixes of 2019."""

from __future__ import annotations

import dataclasses
from typing import Literal

from softmachine.core.choices import Count, Few, NonNegative, Positive, Share, check_fields
from softmachine.machines.machine import MachineConfig
from softmachine.machines.parts.controllers import ControllerConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DNCTestOptions:
    """How the heads of a trained DNC attend in a test."""

    hard: bool = False
    """Write, read and free whole rows: weightings on the row that has most, gates 0 or 1."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DNCChoices(MachineConfig):
    """Sizes of a DNC and its choices; by default the paper's equations, made safe to train.

    `softmachine.machines.dnc.dnc.DNCConfig` is these choices and builds the machine.
    """

    controller: ControllerConfig = ControllerConfig(hidden=64)
    memory_rows: Count = 16
    """N."""
    memory_columns: Count = 16
    """W."""
    read_heads: Few = 1
    """R. There is one write head."""
    links: Literal["dense", "sparse", "none"] = "dense"
    """The temporal links: a matrix, its largest entries, or none. With ``none`` heads read by
    content alone, and no state grows with the square of ``memory_rows``."""
    kept_links: Few = 8
    """K: how many links of a row and of a column are kept by ``sparse``."""
    normalize_sparse: bool = False
    """Divide by their sums what ``sparse`` keeps of weightings, as printed in the paper. Then
    a step that writes nothing changes links all the same."""
    strengths: Literal["oneplus", "softplus"] = "oneplus"
    """Key strengths from 1 on, as in the paper, or from 0 on."""
    similarity_smoothing: Positive = 1e-6
    """Added to the squared norms of keys and rows. Rows much shorter than its root look like
    zero; the gradients of an empty row grow with one over it."""
    similarity_epsilon: NonNegative = 0.0
    """Added to the product of the two norms by which a dot product is divided."""
    allocation_epsilon: Share = 0.0
    """Allocation takes usages u as ``epsilon + (1 - epsilon) u``."""
    usage_gradient: bool = True
    """Whether gradients pass from a usage to the write weighting that made it."""
    interface_clip: Positive | None = None
    """Bound of what the controller says to the memory, before activations."""
    clip: Positive | None = None
    """Bound of the controller's state and output, and of the outputs."""
    masking: bool = False
    """Fix M of 2019: with each key a mask of the columns that it looks for."""
    least_mask: Share = 0.0
    """The least that a mask can be; 0.1 in the associative recall of 2019."""
    wiping: bool = False
    """Fix D of 2019: a row that is freed is set to zero, too."""
    sharpening: bool = False
    """Fix S of 2019: links are followed with a power of the controller's own."""
    hard: bool = False
    """As `DNCTestOptions.hard`; it passes no gradient to addressing."""

    def __post_init__(self) -> None:
        """Check sizes and choices."""
        check_fields(self)
        if self.links == "none" and self.sharpening:
            raise ValueError(
                "DNC sharpening=True is of links, and links='none' has none: take away one"
            )
        if self.least_mask and not self.masking:
            raise ValueError("DNC least_mask is of masks: it needs masking=True")
        if self.normalize_sparse and self.links != "sparse":
            raise ValueError("DNC normalize_sparse is of links='sparse'")

    @property
    def published_as(self) -> str:
        """What papers call the machine: ``dnc-lstm``, ``dnc-mds-ff``, ..."""
        fixes = [("m", self.masking), ("d", self.wiping), ("s", self.sharpening)]
        name = "".join(letter for letter, on in fixes if on)
        return "-".join(filter(None, ("dnc", name, self.controller.published_as)))

    @property
    def test_options(self) -> DNCTestOptions:
        """How the heads attend."""
        return DNCTestOptions(hard=self.hard)

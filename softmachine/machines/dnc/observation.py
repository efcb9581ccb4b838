"""What a trace shows of a DNC: names, axes and descriptions of its arrays."""

from __future__ import annotations

from jaxtyping import Array

from softmachine.core.fields import Field
from softmachine.machines.dnc.config import DNCChoices
from softmachine.machines.dnc.mechanisms import allocation_weighting
from softmachine.machines.dnc.memory import Interface, MemoryState
from softmachine.machines.dnc.sparse_links import SparseLinks, to_dense

MODES = ["back in time", "content", "on in time"]


def trace_fields(config: DNCChoices) -> tuple[Field, ...]:
    """Return the fields of a trace: the memory and its bookkeeping, and what heads do."""
    heads = config.read_heads
    names = ["read"] if heads == 1 else [f"read {i + 1}" for i in range(heads)]
    labels = {"read head": names}

    def of_rows(name, kind, description, **more):
        return Field(name, kind, ("row",), "memory", description, **more)

    def of_reads(name, kind, axes, description, more=labels, **rest):
        return Field(name, kind, ("read head", *axes), "reading", description, more, **rest)

    def of_writes(name, kind, axes, description, **rest):
        return Field(name, kind, axes, "writing", description, **rest)

    links = (
        Field(
            "links",
            "matrix",
            ("row", "row before"),
            "memory",
            "How much a row was written right after another one.",
        ),
        of_rows("precedence", "vector", "How much a row was the last one written."),
        of_reads("read_modes", "distribution", ("mode",), "How it is found.",
                 labels | {"mode": MODES}),
    )  # fmt: skip
    masks = (
        of_reads("read_masks", "vector", ("column",), "Columns looked for.", aside=True),
        of_writes("write_mask", "vector", ("column",), "Columns looked for.", aside=True),
    )
    sharpness = (
        of_reads("forward_sharpness", "scalar", (), "Exponent of what comes after."),
        of_reads("backward_sharpness", "scalar", (), "Exponent of what came before."),
    )
    return (
        Field("memory", "matrix", ("row", "column"), "memory", "What each row holds."),
        of_rows("usage", "vector", "How much a row is in use, from 0 to 1."),
        of_rows("allocation", "weighting", "Where there is room for something new."),
        of_writes("write_weights", "weighting", ("row",), "Where it writes.", does=("write",)),
        of_reads("read_weights", "weighting", ("row",), "Where a head reads.",
                 does=("read",) * heads),
        *(links if config.links != "none" else ()),
        of_writes("write_gate", "probability", (), "Whether it writes."),
        of_writes("allocation_gate", "probability", (), "Into a free row (1) or by content."),
        of_writes("write_strength", "scalar", (), "How much content decides."),
        of_reads("free_gates", "probability", (), "Whether the row read before is freed."),
        of_reads("read_strengths", "scalar", (), "How much content decides."),
        *(sharpness if config.sharpening else ()),
        of_reads("reads", "vector", ("column",), "What was read."),
        of_writes("vector", "vector", ("column",), "What is written."),
        of_writes("erase", "vector", ("column",), "How much of each column is erased."),
        of_writes("write_key", "vector", ("column",), "What is looked for.", aside=True),
        of_reads("read_keys", "vector", ("column",), "What is looked for.", aside=True),
        *(masks if config.masking else ()),
        Field("controller", "vector", ("hidden",), "controller", "Its output.", aside=True),
    )  # fmt: skip


def observe_memory(state: MemoryState, config: DNCChoices) -> dict[str, Array]:
    """Return what a trace shows of the memory after a step."""
    shown = {
        "memory": state.memory.T,
        "usage": state.usage,
        "allocation": allocation_weighting(state.usage, config.allocation_epsilon),
        "write_weights": state.write_weights,
        "read_weights": state.read_weights,
        "reads": state.reads,
    }
    if state.links is not None and state.precedence is not None:
        links = state.links
        shown["links"] = to_dense(links) if isinstance(links, SparseLinks) else links
        shown["precedence"] = state.precedence
    return shown


def observe_interface(interface: Interface) -> dict[str, Array]:
    """Return what the controller tells the memory, what there is of it."""
    return {name: x for name, x in interface._asdict().items() if x is not None}

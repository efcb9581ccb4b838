"""The choices of four published NTMs: the paper's own and those of public implementations."""

from __future__ import annotations

from softmachine.machines.ntm.ntm import NTMConfig

NTM_PRESETS: dict[str, NTMConfig] = {
    # The equations read literally: M_t is written from M_{t-1}, and r_t is read from M_t.
    "paper": NTMConfig(head_clip=None, similarity_smoothing=0.0, similarity_epsilon=1e-8),
    # The blog "Neural Turing Machines" (2017): reads are not fed back, write before read. There
    # sharpening exponents end at 21, a memory is drawn for a whole batch, and heads begin on
    # rows of the first half, or everywhere.
    "seed": NTMConfig(
        memory_rows=40,
        memory_columns=15,
        feed_reads=False,
        output_from="reads",
        add_activation="sigmoid",
        head_clip=None,
        similarity_smoothing=0.0,
        similarity_epsilon=1e-8,
        initial_memory="resampled",
        initial_memory_range=(0.0, 1.0),
        initial_weightings="random-row",
    ),
    # Collier & Beel 2018 (arXiv 1807.08518), with the constant memory they recommend. In their
    # code it is trained, and output logits are cut at ±20, too.
    "collier": NTMConfig(
        order="read-write",
        write_composition="sequential",
        key_activation="tanh",
        add_activation="tanh",
        similarity_smoothing=0.0,
        similarity_epsilon=1e-8,
        initial_memory="constant",
        initial_weightings="learned",
        initial_reads="learned",
    ),
    # The public PyTorch implementation of that name.
    "pytorch-ntm": NTMConfig(
        order="alternate",
        write_composition="sequential",
        head_clip=None,
        similarity_smoothing=1e-16,
        sharpening_smoothing=1e-16,
        initial_memory="random",
        initial_memory_range=(-(148**-0.5), 148**-0.5),
        initial_weightings="zeros",
        initial_reads="random",
    ),
}
"""Configurations by the name of their source; all but ``seed`` have the default sizes."""

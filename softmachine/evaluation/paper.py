"""Names of machines in the papers, by which published results are looked up."""

from __future__ import annotations

from softmachine.machines.machine import MachineConfig
from softmachine.machines.registry import MACHINES


def machine_kind(config: MachineConfig) -> str:
    """Return the name of a kind of machine, such as ``ntm-lstm``, ``ntm-gru`` or ``lstm``.

    It is the configuration's ``published_as``, else the name it is registered by. Keys of
    `softmachine.tasks.published.PaperTest.published` are such names.
    """
    return config.published_as or MACHINES.name_of(type(config))

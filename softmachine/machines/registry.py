"""The registry of machines: the names by which files and the command line know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.registry import Registry

if TYPE_CHECKING:
    # The names are to be had without JAX.
    from softmachine.machines.machine import MachineConfig

MACHINES: Registry[type[MachineConfig]] = Registry(
    "machine",
    "softmachine.machines",
    {
        "ntm": "ntm.ntm:NTMConfig",
        "nram": "nram.nram:NRAMConfig",
        "soft-gate-nram": "nram.soft_gates:SoftGateNRAMConfig",
        "mann": "mann:MANNConfig",
        "recurrent": "recurrent:RecurrentConfig",
        "transformer": "transformer:TransformerConfig",
        "npi": "npi:NPIConfig",
        "npi-ram": "npi_ram:NPIRAMConfig",
        "neural-gpu": "neural_gpu:NeuralGPUConfig",
        "dngpu": "dngpu:DNGPUConfig",
        "stack-rnn": "stack_rnn:StackRNNConfig",
        "neural-stack": "neural_stack:NeuralStackConfig",
        "dnc": "dnc.dnc:DNCConfig",
        "tape-rnn": "tape_rnn:TapeRNNConfig",
    },
    base="softmachine.machines.machine:MachineConfig",
)
"""Configurations of machines by name; a line for each that comes with the package."""

machine = MACHINES.register
"""Decorator: ``@machine("queue")`` gives a configuration the name that files and the command
line know it by."""

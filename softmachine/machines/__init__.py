"""Machines: one paper, one file or folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmachine.core.lazy import lazy_names
from softmachine.machines.registry import MACHINES as MACHINES

_HOMES = MACHINES.homes() | {
    "Buffer": "softmachine.machines.machine",
    "Cell": "softmachine.machines.machine",
    "Clock": "softmachine.machines.machine",
    "Controller": "softmachine.machines.parts.layers",
    "ControllerConfig": "softmachine.machines.parts.controllers",
    "DNC": "softmachine.machines.dnc.dnc",
    "DNC_PRESETS": "softmachine.machines.dnc.dnc",
    "DNCTestOptions": "softmachine.machines.dnc.config",
    "Field": "softmachine.core.fields",
    "Gate": "softmachine.machines.nram.gates",
    "Linear": "softmachine.machines.parts.linear",
    "LoopLinear": "softmachine.machines.parts.linear",
    "MANN_PRESETS": "softmachine.machines.mann",
    "Machine": "softmachine.machines.machine",
    "MachineConfig": "softmachine.machines.machine",
    "NRAM": "softmachine.machines.nram.nram",
    "NRAMControllerConfig": "softmachine.machines.nram.controller",
    "NRAMTestOptions": "softmachine.machines.nram.nram",
    "NTMTestOptions": "softmachine.machines.ntm.config",
    "NTM": "softmachine.machines.ntm.ntm",
    "NTM_PRESETS": "softmachine.machines.ntm.presets",
    "Outcome": "softmachine.machines.machine",
    "NeuralStackTestOptions": "softmachine.machines.neural_stack",
    "Recurrent": "softmachine.machines.recurrent",
    "STACK_RNN_PRESETS": "softmachine.machines.stack_rnn",
    "StackRNNTestOptions": "softmachine.machines.stack_rnn",
    "Transformer": "softmachine.machines.transformer",
    "from_pytorch_ntm": "softmachine.machines.ntm.pytorch_ntm",
    "glorot": "softmachine.machines.parts.linear",
    "parameter_count": "softmachine.machines.machine",
    "run_hard": "softmachine.machines.nram.hard",
    "split_trainable": "softmachine.machines.machine",
    "to_pytorch_ntm": "softmachine.machines.ntm.pytorch_ntm",
}
"""Public names, and the modules that have them."""

if TYPE_CHECKING:
    from softmachine.core.fields import Field as Field
    from softmachine.machines.dnc.config import DNCTestOptions as DNCTestOptions
    from softmachine.machines.dnc.dnc import DNC as DNC
    from softmachine.machines.dnc.dnc import DNC_PRESETS as DNC_PRESETS
    from softmachine.machines.dnc.dnc import DNCConfig as DNCConfig
    from softmachine.machines.dngpu import DNGPUConfig as DNGPUConfig
    from softmachine.machines.machine import Buffer as Buffer
    from softmachine.machines.machine import Cell as Cell
    from softmachine.machines.machine import Clock as Clock
    from softmachine.machines.machine import Machine as Machine
    from softmachine.machines.machine import MachineConfig as MachineConfig
    from softmachine.machines.machine import Outcome as Outcome
    from softmachine.machines.machine import parameter_count as parameter_count
    from softmachine.machines.machine import split_trainable as split_trainable
    from softmachine.machines.mann import MANN_PRESETS as MANN_PRESETS
    from softmachine.machines.mann import MANNConfig as MANNConfig
    from softmachine.machines.neural_gpu import NeuralGPUConfig as NeuralGPUConfig
    from softmachine.machines.neural_stack import NeuralStackConfig as NeuralStackConfig
    from softmachine.machines.neural_stack import (
        NeuralStackTestOptions as NeuralStackTestOptions,
    )
    from softmachine.machines.npi import NPIConfig as NPIConfig
    from softmachine.machines.npi_ram import NPIRAMConfig as NPIRAMConfig
    from softmachine.machines.nram.controller import (
        NRAMControllerConfig as NRAMControllerConfig,
    )
    from softmachine.machines.nram.gates import Gate as Gate
    from softmachine.machines.nram.hard import run_hard as run_hard
    from softmachine.machines.nram.nram import NRAM as NRAM
    from softmachine.machines.nram.nram import NRAMConfig as NRAMConfig
    from softmachine.machines.nram.nram import NRAMTestOptions as NRAMTestOptions
    from softmachine.machines.nram.soft_gates import SoftGateNRAMConfig as SoftGateNRAMConfig
    from softmachine.machines.ntm.config import NTMTestOptions as NTMTestOptions
    from softmachine.machines.ntm.ntm import NTM as NTM
    from softmachine.machines.ntm.ntm import NTMConfig as NTMConfig
    from softmachine.machines.ntm.presets import NTM_PRESETS as NTM_PRESETS
    from softmachine.machines.ntm.pytorch_ntm import from_pytorch_ntm as from_pytorch_ntm
    from softmachine.machines.ntm.pytorch_ntm import to_pytorch_ntm as to_pytorch_ntm
    from softmachine.machines.parts.controllers import ControllerConfig as ControllerConfig
    from softmachine.machines.parts.layers import Controller as Controller
    from softmachine.machines.parts.linear import Linear as Linear
    from softmachine.machines.parts.linear import LoopLinear as LoopLinear
    from softmachine.machines.parts.linear import glorot as glorot
    from softmachine.machines.recurrent import Recurrent as Recurrent
    from softmachine.machines.recurrent import RecurrentConfig as RecurrentConfig
    from softmachine.machines.stack_rnn import STACK_RNN_PRESETS as STACK_RNN_PRESETS
    from softmachine.machines.stack_rnn import StackRNNConfig as StackRNNConfig
    from softmachine.machines.stack_rnn import StackRNNTestOptions as StackRNNTestOptions
    from softmachine.machines.tape_rnn import TapeRNNConfig as TapeRNNConfig
    from softmachine.machines.transformer import Transformer as Transformer
    from softmachine.machines.transformer import TransformerConfig as TransformerConfig
else:
    __getattr__, __dir__ = lazy_names(__name__, _HOMES)

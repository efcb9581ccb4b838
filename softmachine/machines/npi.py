"""The Neural Programmer-Interpreter (Reed & de Freitas 2016, arXiv 1511.06279).

One recurrent core runs all programs. In each step it sees what can be observed, and which
program it runs with which arguments; it decides whether to end, which program to call, and with
which arguments. What makes one core many programs is a memory of them: an embedding that says
which runs, and a key by which it is called. A call begins with a state of zeros, so that what a
program does depends on its own arguments and observations alone: whoever runs a core keeps the
callers' states on a stack (`softmachine.running.interpreter`), and an example to learn from
is one call by itself. That a finite number of such examples stands for every input is shown by
Cai, Shin & Song 2017 (arXiv 1704.06611).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from softmachine.core.choices import Count, Few, check_fields
from softmachine.core.fields import Field
from softmachine.core.pytrees import PyTree
from softmachine.core.specs.calls import Calls
from softmachine.core.specs.spec import Stream, Whole
from softmachine.machines.machine import STOPPED, Cell, Clock, MachineConfig
from softmachine.machines.parts.linear import Linear, LoopLinear, glorot
from softmachine.machines.registry import machine

CELL_PARTS = ("input gate", "forget gate", "candidate", "output gate")
"""The rows of an LSTM layer's weight, in this order."""


@machine("npi")
@dataclasses.dataclass(frozen=True, kw_only=True)
class NPIConfig(MachineConfig):
    """How many programs a core has and what they take, and its sizes.

    The paper has two layers of 256; these sizes are enough for all of its tasks but images.
    """

    programs: Count = 2
    """N: how many can be called, of which the first stands for calling nothing."""
    arguments: tuple[Count, ...] = ()
    """How many values each argument place has."""
    observation: Count = 64
    """D: the size of the encoded observation and arguments, s."""
    embedding: Count = 64
    """P: the size of a program's embedding."""
    key: Count = 16
    """K: the size of a program's key."""
    fused: Count = 64
    """The size of what goes into the LSTM: s and the running program's embedding together."""
    hidden: Count = 64
    """M: cells of each LSTM layer."""
    layers: Few = 2
    """L: LSTM layers, one on top of the other."""

    works = "on calls of as many programs and argument values as `programs` and `arguments` say"

    def __post_init__(self) -> None:
        """Check the sizes."""
        check_fields(self)

    def fits(self, inputs: Stream[Any] | Whole[Any], outputs: Stream[Any] | Whole[Any]) -> bool:
        """Return whether tasks with such outputs have as many programs and arguments."""
        calls = outputs.spec
        return (
            inputs.per_step
            and outputs.per_step
            and isinstance(calls, Calls)
            and len(calls.programs) == self.programs
            and tuple(map(len, calls.arguments)) == self.arguments
        )

    def build(self, input_size: int, output_size: int, *, key: PRNGKeyArray) -> NPI:
        """Return a core; inputs are observation, arguments, and running program, in this order.

        Raises ValueError if these channels cannot be among so many.
        """
        seen = input_size - self.programs
        if seen < sum(self.arguments) or output_size != 1 + self.programs + sum(self.arguments):
            raise ValueError(
                f"an NPI of {self.programs} programs and arguments of {self.arguments} values "
                f"has {1 + self.programs + sum(self.arguments)} outputs and inputs for these "
                f"and an observation; not {output_size} and {input_size}"
            )
        keys = iter(jax.random.split(key, 8 + len(self.arguments) + self.layers))

        def dense(inputs, outputs):
            return Linear(glorot(inputs, outputs, key=next(keys)), jnp.zeros(outputs))

        def layers(inputs):
            for i in range(self.layers):
                width = (self.hidden if i else inputs) + self.hidden
                bias = jnp.zeros((4, self.hidden)).at[1].set(1.0)  # remember at first
                weight = glorot(width, 4 * self.hidden, key=next(keys))
                yield LoopLinear(weight, bias.ravel())

        return NPI(
            encoder=(dense(seen, self.observation), dense(self.observation, self.observation)),
            program_memory=jax.random.normal(next(keys), (self.programs, self.embedding)),
            fuse=(
                dense(self.observation + self.embedding, self.fused),
                dense(self.fused, self.fused),
            ),
            layers=tuple(layers(self.fused)),
            end=dense(self.hidden, 1),
            key=dense(self.hidden, self.key),
            key_memory=glorot(self.key, self.programs, key=next(keys)),
            argument_heads=tuple(dense(self.hidden, size) for size in self.arguments),
        )


def npi_for(calls: Calls, **sizes: Any) -> NPIConfig:
    """Return a core for these programs and their arguments, with sizes other than the usual.

    >>> npi_for(Calls(("NOP", "ADD", "PTR"), (("LEFT", "RIGHT"),), (0, 0, 1)), layers=1)
    NPIConfig(programs=3, arguments=(2,), observation=64, embedding=64, key=16, fused=64, hidden=64, layers=1)
    """  # noqa: E501
    arguments = tuple(map(len, calls.arguments))
    return NPIConfig(programs=len(calls.programs), arguments=arguments, **sizes)


class NPI(Cell):
    """The core, its program memory and its encoder: the paper's Eq. 1 to 8.

    With observation e_t, arguments a_t and running program i of the step:

    - s_t = f_enc(e_t, a_t)                                    `encoder`
    - h_t = f_lstm(s_t, p_t, h_t-1), p_t = M_prog[i]           `fuse`, `layers`
    - r_t = f_end(h_t), k_t = f_prog(h_t), a_t+1 = f_arg(h_t)  `end`, `key`, `argument_heads`
    - i_t+1 = argmax_j M_key[j] . k_t                          `key_memory`

    Outputs are laid out as `softmachine.core.specs.calls.Calls` has them.
    """

    encoder: tuple[Linear, Linear]
    """f_enc: a ReLU between them."""
    program_memory: Float[Array, "programs embedding"]
    """M_prog."""
    fuse: tuple[Linear, Linear]
    """From s and the embedding to what the first layer sees; a ReLU between them."""
    layers: tuple[LoopLinear, ...]
    """Gates and candidate of each LSTM layer, from what it sees and its own hidden state."""
    end: Linear
    """f_end, before the sigmoid."""
    key: Linear
    """f_prog."""
    key_memory: Float[Array, "programs key"]
    """M_key."""
    argument_heads: tuple[Linear, ...]
    """f_arg, a softmax each."""

    @property
    def programs(self) -> int:
        """N."""
        return len(self.program_memory)

    def input_shape(self) -> tuple[str, int]:
        """Return the shape of one example's inputs: observation, arguments, program."""
        return ("steps", self.encoder[0].weight.shape[1] + self.programs)

    def init_state(
        self, inputs: PyTree = None, *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "2 layers hidden"]:
        """Return the state with which every call begins: hidden states and cells of zeros."""
        del inputs, key
        shape = (2, len(self.layers), self.end.weight.shape[1])
        return jnp.zeros(shape, self.end.weight.dtype)

    def encode(self, inputs: Shaped[Array, "... inputs"]) -> Float[Array, "... fused"]:
        """Return what the LSTM sees: s and the running program's embedding together."""
        inputs = jnp.asarray(inputs, self.end.weight.dtype)
        seen, running = jnp.split(inputs, [inputs.shape[-1] - self.programs], axis=-1)
        s = _two_layers(self.encoder, seen)
        p = running @ self.program_memory
        return _two_layers(self.fuse, jnp.concatenate([s, p], axis=-1))

    def advance(
        self,
        state: Float[Array, "2 layers hidden"],
        encoded: Float[Array, " fused"],
        clock: Clock = STOPPED,
    ) -> tuple[Float[Array, "2 layers hidden"], Float[Array, " hidden"]]:
        """Take one step of the LSTM; return its state, and its top layer's output."""
        del clock
        outputs, cells, seen = [], [], encoded
        for i, layer in enumerate(self.layers):
            gates = layer(jnp.concatenate([seen, state[0, i]]))
            input_, forget, candidate, output = jnp.split(gates, len(CELL_PARTS))
            kept = jax.nn.sigmoid(forget) * state[1, i]
            cells.append(kept + jax.nn.sigmoid(input_) * jnp.tanh(candidate))
            seen = jax.nn.sigmoid(output) * jnp.tanh(cells[-1])
            outputs.append(seen)
        return jnp.stack([jnp.stack(outputs), jnp.stack(cells)]), seen

    def decode(self, features: Float[Array, "... hidden"]) -> Float[Array, "... outputs"]:
        """Return the logits of ending, of each program, and of each argument's values."""
        scores = self.key(features) @ self.key_memory.T
        arguments = [head(features) for head in self.argument_heads]
        return jnp.concatenate([self.end(features), scores, *arguments], axis=-1)

    def trace_fields(self) -> tuple[Field, ...]:
        """Declare the state of the LSTM."""
        axes, parts = ("part", "layer", "hidden"), {"part": ["hidden state", "cells"]}
        return (Field("state", "matrix", axes, "core", labels=parts, aside=True),)


def _two_layers(
    layers: tuple[Linear, Linear], x: Float[Array, "... inputs"]
) -> Float[Array, "... outputs"]:
    return layers[1](jax.nn.relu(layers[0](x)))

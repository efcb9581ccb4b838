"""The states of a population on the devices, and which device trains which members."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from softmachine.core import compiling
from softmachine.core.specs.spec import Ratio
from softmachine.experiments.experiment import Experiment
from softmachine.experiments.state import TrainState, machine_class
from softmachine.machines.packed import packed_form
from softmachine.running.devices import MemberLayout, layout_for
from softmachine.training.update import TrainChunk, build_train_chunk, members_sharding


class Plan(NamedTuple):
    """Where members are trained, and the compiled updates."""

    layout: MemberLayout
    updates: TrainChunk


def plan_for(experiment: Experiment, members: int) -> Plan:
    """Return the plan for so many members on the local devices."""
    form = packed_form(machine_class(experiment))
    cached = 0 if form is None else form.cached_examples
    batch = experiment.training.batch
    layout = layout_for(members, batch, cached_examples=cached)
    return Plan(layout, build_train_chunk(experiment, layout))


class MemberStates:
    """The states of all members, stacked; each device has an equal share of the slots.

    Members that have ended make room: those still training are dealt out evenly.
    """

    def __init__(
        self, experiment: Experiment, states: Sequence[TrainState], plan: Plan | None = None
    ) -> None:
        """Put states on all local devices, or where a ``plan`` says; it may have more slots."""
        self._layout, self._chunk = plan_for(experiment, len(states)) if plan is None else plan
        self._sharding = members_sharding(self._layout)
        # Slots left over hold copies of the first member that never take an update.
        self._slots = list(range(self._layout.members))
        padded = [*states, *[states[0]] * (self._layout.members - len(states))]
        self._states = jax.device_put(_stack(padded), self._sharding)

    @property
    def devices(self) -> int:
        """How many devices train."""
        return len(self._layout.devices)

    def advance(
        self, members: Collection[int], end: int
    ) -> dict[int, dict[str, float | Ratio]]:
        """Take some members up to update ``end``; return each one's summed metrics."""
        self._deal(members)
        ends = np.array([end if slot in members else 0 for slot in self._slots], np.int32)
        self._states, sums = self._chunk(self._states, jax.device_put(ends, self._sharding))
        sums = jax.device_get(sums)
        return {
            slot: jax.tree.map(lambda values, place=place: float(values[place]), sums)
            for place, slot in enumerate(self._slots)
            if slot in members
        }

    def of(self, member: int) -> TrainState:
        """Return one member's state."""
        return _row(self._states, self._slots.index(member))

    def replace(self, member: int, state: TrainState) -> None:
        """Put another state in a member's place."""
        place = self._slots.index(member)

        def replaced(leaves, leaf):
            leaves = np.array(leaves)
            leaves[place] = leaf
            return leaves

        states = jax.tree.map(replaced, self._states, _moving(state))
        self._states = jax.device_put(states, self._sharding)

    def _deal(self, members: Collection[int]) -> None:
        """Give every device as many of these members as any other, or one more.

        On each they come before those that wait, so that few groups in lockstep hold both.
        """
        if self._layout.members == 1:
            return  # its batch is on all devices
        devices = self.devices
        order = sorted(self._slots, key=lambda slot: (slot not in members, slot))
        slots = [slot for device in range(devices) for slot in order[device::devices]]
        if self._busy_groups(members, slots) >= self._busy_groups(members, self._slots):
            return
        places = np.array([self._slots.index(slot) for slot in slots])
        self._states = jax.device_put(
            jax.tree.map(lambda leaves: np.asarray(leaves)[places], self._states),
            self._sharding,
        )
        self._slots = slots

    def _busy_groups(self, members: Collection[int], slots: Sequence[int]) -> int:
        """Return how many groups in lockstep the busiest device would have to advance."""
        together = self._layout.together
        busy = [
            any(slot in members for slot in slots[i : i + together])
            for i in range(0, len(slots), together)
        ]
        each = len(busy) // self.devices
        return max(sum(busy[i : i + each]) for i in range(0, len(busy), each))


def _row(states: TrainState, place: int) -> TrainState:
    """Return one member's share of sharded arrays, from the device that has it, on no other.

    Indexing the whole would be a program of all devices, which wait for each other. XLA on
    CPU ends the process if one keeps another waiting for 40 seconds, as it may on a busy
    machine. All leaves in one program: there are a dozen shapes of them.
    """
    leaves, structure = jax.tree.flatten(states)
    for number, shard in enumerate(leaves[0].addressable_shards):
        first, end, _ = shard.index[0].indices(len(leaves[0]))
        if first <= place < end:
            shares = [leaf.addressable_shards[number].data for leaf in leaves]
            rows = jax.device_get(_pick(shares, jnp.asarray(place - first)))
            return jax.tree.unflatten(structure, [jnp.asarray(row) for row in rows])
    raise IndexError(f"no member at place {place} of {len(leaves[0])}")


@partial(compiling.filter_jit, tuned=False)
def _pick(leaves: list[Array], place: Int[Array, ""]) -> list[Array]:
    return [jax.lax.dynamic_index_in_dim(leaf, place, keepdims=False) for leaf in leaves]


def _stack(states: Sequence[TrainState]) -> Any:
    def stacked(*leaves):
        return np.stack([np.asarray(leaf) for leaf in leaves])  # which compiles nothing

    return jax.tree.map(stacked, *map(_moving, states))


def _moving(state: TrainState) -> TrainState:
    """Return what updates need of a state."""
    return state._replace(kept=None)

"""What a computation needs is told before anything is allocated."""

import jax.numpy as jnp
import pytest

from softmachine.core.room import check_room, size_of


def test_bytes_are_those_of_all_arrays():
    assert size_of(lambda: {"a": jnp.zeros((3, 5)), "b": [jnp.zeros(7, jnp.int8)]}) == 67


@pytest.mark.parametrize(
    "error",
    [
        TypeError("Machine.__init__() missing 1 required positional argument: 'size'"),
        ValueError("images have 12 classes, 100 are needed"),
    ],
)
def test_a_fault_in_what_is_computed_is_not_said_to_be_a_lack_of_memory(error):
    def make():
        raise error

    with pytest.raises(type(error), match=str(error)[-10:]):
        check_room(lambda: size_of(make), 1, "this")


def test_a_dimension_that_jax_cannot_represent_is_too_large():
    def make():
        return jnp.broadcast_to(jnp.ones((2**62, 1)), (2**62, 4)) @ jnp.ones((4, 2**62))

    def refused():
        raise TypeError(f"shape must have elements of an integer type, got ({2**64},)")

    for needed in (make, refused):
        with pytest.raises(Exception, match="memory"):
            check_room(lambda needed=needed: size_of(needed), 1, "this")

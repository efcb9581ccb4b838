"""Options of the compiler: barriers hold, and an XLA without one of them does without."""

import jax
import jax.numpy as jnp

from softmachine import compiling


def work(x, name="two"):
    return jax.lax.optimization_barrier(2 * x) + len(name)


def test_barriers_are_kept():
    """By the time that XLA is done."""
    program = jax.jit(work, compiler_options=compiling.options()).lower(jnp.ones(3)).compile()
    assert "opt-barrier" in program.as_text()


def test_options_that_xla_does_not_know_are_left_out(monkeypatch):
    monkeypatch.setitem(compiling.ON_CPU, "xla_there_is_no_such_option", True)
    compiling.options.cache_clear()
    try:
        assert compiling.options() == {
            name: value for name, value in compiling.ON_CPU.items() if "no_such" not in name
        }
    finally:
        compiling.options.cache_clear()


def test_functions_are_compiled_with_them():
    function = compiling.filter_jit(work)
    assert "opt-barrier" in function.lower(jnp.ones(3), "three").compile().compiled.as_text()
    assert float(function(jnp.ones(()), "three")) == 7

"""Compiled programs that outlive their process."""

import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import pytest
from safetensors.numpy import load_file

from softmachine.cli.main import main
from softmachine.core import compilation_cache
from softmachine.core.compilation_cache import CacheUse, cache_size, use_compilation_cache

SETTINGS = (
    "jax_compilation_cache_dir",
    "jax_compilation_cache_max_size",
    "jax_persistent_cache_min_compile_time_secs",
)


@pytest.fixture(autouse=True)
def _jax_as_it_was(monkeypatch):
    """Begin without a cache, as a person's process does; restore the tests' own."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.delenv(compilation_cache.VARIABLE, raising=False)
    monkeypatch.delenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", raising=False)
    with warnings.catch_warnings():
        yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_it_is_the_users_own_bounded_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    directory = use_compilation_cache().directory
    assert directory.parent == tmp_path / "softmachine"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert jax.config.jax_compilation_cache_dir == str(directory)
    assert jax.config.jax_compilation_cache_max_size == compilation_cache.MOST_BYTES
    assert use_compilation_cache() == CacheUse(directory)
    # A relative one is to be ignored, says the specification.
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert compilation_cache.user_caches() == Path.home() / ".cache"


def test_the_variable_moves_it_or_switches_it_off(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTMACHINE_CACHE", "off")
    assert use_compilation_cache() == CacheUse(None, "SOFTMACHINE_CACHE=off")
    assert jax.config.jax_compilation_cache_dir is None
    monkeypatch.setenv("SOFTMACHINE_CACHE", str(tmp_path / "elsewhere"))
    assert use_compilation_cache().directory.parent == tmp_path / "elsewhere"


def test_a_cache_of_jax_itself_is_left_in_charge(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    size = jax.config.jax_compilation_cache_max_size
    assert use_compilation_cache(tmp_path / "other") == CacheUse(tmp_path / "own")
    assert jax.config.jax_compilation_cache_max_size == size
    assert not (tmp_path / "other").exists()


def test_a_directory_that_is_not_fit_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in use_compilation_cache(tmp_path / "file" / "below").why_not
    directory = use_compilation_cache(tmp_path / "open").directory
    jax.config.update("jax_compilation_cache_dir", None)
    directory.chmod(0o777)
    assert (
        f"others can write to {directory}" in use_compilation_cache(tmp_path / "open").why_not
    )

    def no_home(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert use_compilation_cache() == CacheUse(None, "Could not determine home directory.")
    assert jax.config.jax_compilation_cache_dir is None


def test_what_a_killed_writer_left_is_removed(tmp_path):
    directory = use_compilation_cache(tmp_path).directory
    jax.config.update("jax_compilation_cache_dir", None)
    for name in ("whole-cache", "whole-atime", "torn-cache"):
        (directory / name).write_bytes(b"12345678")
    use_compilation_cache(tmp_path)
    assert {path.name for path in directory.glob("[!.]*")} == {"whole-cache", "whole-atime"}
    assert cache_size(directory) == (1, 8)


PROGRAM = """
import sys, jax
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
from softmachine.cli.main import main
main(sys.argv[1:])
print(hits.count("/jax/compilation_cache/cache_hits"), "hits")
"""


def test_a_second_process_compiles_nothing_and_trains_the_same(tmp_path):
    """A program over two devices, with donated arguments and the package's own options."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION")}
    environment |= {
        "SOFTMACHINE_CACHE": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    options = [
        "--machine.controller.hidden", "8", "--machine.memory-columns", "4",
        "--training.curriculum.largest", "3", "--training.memory-rows", "8",
        "--training.batch", "2", "--training.max-sequences", "16",
        "--training.validate-every", "8",
    ]  # fmt: skip

    def train(run: str) -> tuple[int, dict[str, bytes], dict[str, bytes]]:
        arguments = ["train", "ntm-copy", *options, "--run", str(tmp_path / run)]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
            capture_output=True, text=True, env=environment, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        last = load_file(tmp_path / run / "checkpoints" / "last.safetensors")
        arrays = {name: array.tobytes() for name, array in last.items()}
        kept = {path.name: path.read_bytes() for path in tmp_path.glob("cache/*/*-cache")}
        return int(done.stdout.split()[-2]), arrays, kept

    hits, first, kept = train("first")
    again, second, still = train("second")
    assert again > hits
    assert second == first
    assert still == kept


def test_info_tells_where_it_is(tmp_path, capsys, monkeypatch):
    directory = use_compilation_cache(tmp_path).directory
    (directory / "one-cache").write_bytes(b"x" * 300_000)
    main(["info"])
    out = capsys.readouterr().out
    assert (
        f"cache       {directory}\n            1 compiled programs, 0.3 MB of at most 256 MB"
        in out
    )
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("SOFTMACHINE_CACHE", "off")
    main(["info"])
    assert "cache       none: SOFTMACHINE_CACHE=off\n" in capsys.readouterr().out

"""Functions in C: made once, kept where nobody else can write, and done without."""

from __future__ import annotations

import os
import shutil
import stat
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.core import native
from softmachine.core.c_compiler import c_compiler
from softmachine.core.errors import SoftmachineWarning

needs_compiler = pytest.mark.skipif(c_compiler() is None, reason="there is no C compiler")
TWICE = """
    #include "xla/ffi/api/c_api.h"
    XLA_FFI_Error *NAME(XLA_FFI_CallFrame *frame) {
        XLA_FFI_Extension_Base *extension = frame->extension_start;
        if (extension && extension->type == XLA_FFI_Extension_Metadata) {
            XLA_FFI_Metadata *told = ((XLA_FFI_Metadata_Extension *)extension)->metadata;
            told->api_version.major_version = XLA_FFI_API_MAJOR;
            told->api_version.minor_version = XLA_FFI_API_MINOR;
            return 0;
        }
        XLA_FFI_Buffer *x = frame->args.args[0], *y = frame->rets.rets[0];
        for (long i = 0; i < x->dims[0]; i++) ((float *)y->data)[i] = 2 * ((float *)x->data)[i];
        return 0;
    }
"""


@pytest.fixture(autouse=True)
def _kept_here(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTMACHINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(native.VARIABLE, "on")


def _source(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.c"
    path.write_text(textwrap.dedent(TWICE).replace("NAME", name))
    return path


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("cache/native-*/*.so"))


def _twice(name: str) -> list[float]:
    x = jnp.arange(3, dtype=jnp.float32)
    call = jax.ffi.ffi_call(name, jax.ShapeDtypeStruct(x.shape, x.dtype))
    return np.asarray(jax.jit(call)(x)).tolist()


@needs_compiler
def test_a_function_is_made_once_and_kept_for_its_user_alone(tmp_path, monkeypatch):
    source = _source(tmp_path / "own", "twice_kept")
    assert native.provide(source, ("twice_kept",))
    assert _twice("twice_kept") == [0, 2, 4]
    (made,) = _kept(tmp_path)
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    monkeypatch.setattr(native, "_compiled", None)  # it would raise
    monkeypatch.setattr(native, "_known", {})
    assert native._library(source, c_compiler()).twice_kept
    assert _kept(tmp_path) == [made]


@needs_compiler
def test_another_text_is_another_library_and_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "MOST_KEPT", 2)
    source = _source(tmp_path / "own", "twice_old")
    text = source.read_text()
    for number in range(3):
        source.write_text(text.replace("twice_old", f"twice_old_{number}"))
        before = _kept(tmp_path)
        assert native.provide(source, (f"twice_old_{number}",))
        assert {*_kept(tmp_path)} - {*before}
        assert len(_kept(tmp_path)) == min(number + 1, 2)
        for path in _kept(tmp_path):  # so that each is older than the next
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**9))
        assert len([*tmp_path.glob("cache/native-*/*")]) == 2 * len(_kept(tmp_path)) + 1


@needs_compiler
@pytest.mark.parametrize("damage", ["no library", "half of one"])
def test_a_damaged_library_is_made_anew(damage, tmp_path):
    """To load half a library would end the process."""
    name = f"twice_{damage.replace(' ', '_')}"
    source = _source(tmp_path / "own", name)
    directory = native._directory()
    whole = native._kept(source, c_compiler(), directory)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2] if damage == "half of one" else b"none")
    assert native.provide(source, (name,))
    assert whole.stat().st_size == len(content)
    assert _twice(name) == [0, 2, 4]


@needs_compiler
def test_threads_that_ask_at_once_get_one_answer(tmp_path):
    source = _source(tmp_path / "own", "twice_threads")
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda _: native.provide(source, ("twice_threads",)), range(6))
        assert [*answers] == [True] * 6


@needs_compiler
@pytest.mark.parametrize("how", ["off", "of others"])
def test_it_works_where_nothing_can_be_kept(how, tmp_path, monkeypatch):
    if how == "off":
        monkeypatch.setenv("SOFTMACHINE_CACHE", "off")
    else:
        home = tmp_path / "cache"
        (home / f"native-{native.processor()}").mkdir(parents=True)
        (home / f"native-{native.processor()}").chmod(0o777)
    name = f"twice_{how.replace(' ', '_')}"
    assert native.provide(_source(tmp_path / "own", name), (name,))
    assert _twice(name) == [0, 2, 4]
    assert not _kept(tmp_path)


@pytest.mark.parametrize("setting", [None, "off", ""])
def test_it_is_not_tried_unless_it_is_asked_for(setting, tmp_path, monkeypatch):
    monkeypatch.setattr(native, "_compiled", None)  # it would raise, which would warn
    source = _source(tmp_path / "own", "twice_off")
    monkeypatch.delenv(native.VARIABLE)
    if setting is not None:
        monkeypatch.setenv(native.VARIABLE, setting)
    assert not native.provide(source, ("twice_off",))
    assert native.use() == (None, "not asked for (SOFTMACHINE_NATIVE=on)")


def test_it_is_not_tried_without_a_compiler(tmp_path, monkeypatch):
    source = _source(tmp_path / "own", "twice_without")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert not native.provide(source, ("twice_without",))


@needs_compiler
def test_what_a_compiler_refuses_is_told_and_done_without(tmp_path):
    source = _source(tmp_path / "own", "twice_wrong")
    source.write_text(source.read_text().replace("return 0;", "return nothing;"))
    with pytest.warns(SoftmachineWarning, match=r"twice_wrong.c cannot be used.*nothing"):
        assert not native.provide(source, ("twice_wrong",))
    assert not _kept(tmp_path)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\nexit 1\n", "does not say what it is"),
        ("#!/bin/sh\nprintf 'own \\366 1.0\\n'\n", "own refuses it: status 0"),
        (None, "no C compiler"),
    ],
    ids=["fails", "makes nothing", "none"],
)
def test_which_compiler_there_is(script, reason, tmp_path, monkeypatch):
    compiler = tmp_path / "own"
    if script is not None:
        compiler.write_text(script)
        compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("CC", str(compiler))
    found = native.use()
    assert found.compiler is None
    assert reason in found.version


@needs_compiler
def test_a_compiler_may_have_options_and_any_letters(tmp_path, monkeypatch):
    compiler, real = tmp_path / "own", shutil.which(c_compiler()[0])
    compiler.write_text(
        f"#!/bin/sh\ncase $2 in --version) printf 'own \\366 1.0\\n';; "
        f'*) test "$1" = --own || exit 1; shift; exec {real} "$@";; esac\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", f"{compiler} --own")
    found = native.use()
    assert found.compiler == (str(compiler), "--own")
    assert "own \ufffd 1.0" in found.version
    name = "twice_options"
    assert native.provide(_source(tmp_path / "own source", name), (name,))
    assert _twice(name) == [0, 2, 4]


def test_a_quotation_mark_without_another_is_no_compiler(monkeypatch):
    monkeypatch.setenv("CC", "'")
    assert c_compiler() != ("'",)

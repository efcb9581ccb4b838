"""Damaged files: refused or told of in a line, or without effect; never another result."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import small
from compare import differences, state_of
from workers import Ended, command

GONE_MATTERS = ("config.json", "population.json", "best.safetensors", "metrics.jsonl", ".trace")
"""Without other files a run is one that never had them."""


class Case(NamedTuple):
    """A file, what is done to it, and what then is asked of the whole."""

    base: str
    file: str
    kind: str
    seed: int
    action: str


def make_bases(folder: Path) -> None:
    """Train what is to be damaged: finished, half done, several, and look at it."""
    for arguments in (
        small.ntm(str(folder / "ntm"), 160),
        small.ntm(str(folder / "half"), 80),
        small.ntm(str(folder / "population"), 40, "--members", "2"),
        ["trace", str(folder / "ntm"), "--size", "3", "--out", str(folder / "ntm" / "x.trace")],
        ["trace", "zoo:nram-access", "--size", "3", "--out", str(folder / "half" / "y.trace")],
    ):
        ended = command(arguments, folder)
        if ended.status:
            raise SystemExit(f"{arguments}: {ended.err}")
    _make_longer(folder / "half")


def _make_longer(path: Path) -> None:
    """Turn a finished run into one with more to do, as an interruption leaves it."""
    from softmachine.core.files import digest, sealed
    from softmachine.experiments.runs import Run

    run = Run(path)
    last, (machine_state, line) = run.load_last(), (None, None)
    del machine_state, line
    value = json.loads((path / "config.json").read_text())
    value.pop("checksum")
    value["experiment"]["training"]["max_sequences"] = 160
    (path / "config.json").write_text(json.dumps(sealed(value), indent=2))
    for file in (path / "checkpoints").glob("*.safetensors"):
        _tie(file, digest(value))
    last.progress.finished = False
    Run(path).save_last(last.state, last.progress, last.line)


def _tie(file: Path, tie: str) -> None:
    from safetensors import safe_open

    from softmachine.experiments import checkpoints

    with safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    checkpoints.save_checkpoint(file, tensors, json.loads(metadata["record"]), tie)


# Damage


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 3, 20))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _digit(data: bytes, rng: random.Random) -> bytes:
    """Change one digit: what stays readable is the worst."""
    places = [i for i, byte in enumerate(data[:50_000]) if chr(byte).isdigit()]
    if not places:
        return _flip(data, rng)
    place = rng.choice(places)
    return data[:place] + rng.choice(b"0123456789").to_bytes() + data[place + 1 :]


def _letter(data: bytes, rng: random.Random) -> bytes:
    places = [i for i, byte in enumerate(data[:50_000]) if chr(byte).isalpha()]
    place = rng.choice(places or [0])
    return data[:place] + rng.choice(b"abcxyzNI").to_bytes() + data[place + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _zeros(data: bytes, rng: random.Random) -> bytes:
    begin = rng.randrange(len(data))
    length = min(rng.choice((1, 16, 512)), len(data) - begin)
    return data[:begin] + bytes(length) + data[begin + length :]


def _appended(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice((b"\n", b"{}", b"\x00" * 100, b"[" * 100_000, data))


def _dropped(data: bytes, rng: random.Random) -> bytes:
    """Leave out a line, or give it twice."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    lines[place : place + 1] = [] if rng.random() < 0.5 else [lines[place]] * 2
    return b"\n".join(lines)


def _number(data: bytes, rng: random.Random) -> bytes:
    """Put what is no number, or none that can be, where a number is."""
    odd = rng.choice((b"NaN", b"Infinity", b"1e999", b"-1", b"1" * 30, b"null", b'"3"', b"[]"))
    text = data.split(b": ")
    place = rng.randrange(1, len(text)) if len(text) > 1 else 0
    rest = text[place].lstrip(b"0123456789.-+e")
    return b": ".join([*text[:place], odd + rest, *text[place + 1 :]])


def _nothing(data: bytes, rng: random.Random) -> bytes:
    del data
    return rng.choice((b"", b"null", b"{}", b"[]", b"\xff\xfe", b"[" * 200_000, b"3"))


DAMAGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits flipped": _flip,
    "digit changed": _digit,
    "letter changed": _letter,
    "cut": _cut,
    "zeros": _zeros,
    "more at the end": _appended,
    "line lost or doubled": _dropped,
    "no number": _number,
    "something else": _nothing,
}
TWINS = {"ntm", "half"}
"""One experiment, at its end and before: a checkpoint of the one is as good in the other."""
WHOLE = ("removed", "a directory", "another's", "of another file")

ACTIONS = {
    "ntm": ("evaluate", "plot", "report", "resume", "load"),
    "half": ("evaluate", "resume", "resume", "load"),
    "population": ("evaluate", "plot", "resume"),
}


def cases(folder: Path, count: int, seed: int) -> Iterator[Case]:
    """Draw cases: any kind of damage, of any file, before any command."""
    rng = random.Random(seed)
    for _ in range(count):
        base = rng.choice(list(ACTIONS))
        files = sorted(
            str(file.relative_to(folder / base))
            for file in (folder / base).rglob("*")
            if file.is_file() and file.name != ".lock" and "figures" not in file.parts
        )
        file = rng.choice([f for f in files if f != "report.html" and "results" not in f])
        kind = rng.choice([*DAMAGE, *DAMAGE, *WHOLE])
        if kind == "removed" and not file.endswith(GONE_MATTERS):
            kind = "cut"
        action = "load" if file.endswith(".trace") else rng.choice(ACTIONS[base])
        if action == "load" and not file.endswith(".trace"):
            action = "evaluate"
        yield Case(base, file, kind, rng.randrange(2**31), action)


def _hurt(case: Case, folder: Path, path: Path) -> None:
    rng, file = random.Random(case.seed), path / case.file
    if case.kind in DAMAGE:
        file.write_bytes(DAMAGE[case.kind](file.read_bytes(), rng))
        return
    file.unlink()
    if case.kind == "a directory":
        file.mkdir()
    elif case.kind == "another's":
        others = [
            other
            for other in folder.rglob(file.name)
            if other.is_file() and not {case.base, other.relative_to(folder).parts[0]} <= TWINS
        ]
        shutil.copy(rng.choice(others or [folder / "ntm" / "config.json"]), file)
    elif case.kind == "of another file":
        others = [p for p in (folder / "ntm").rglob("*") if p.is_file()]
        shutil.copy(rng.choice(others), file)


def ask(action: str, path: Path, file: str) -> tuple[Ended, Any]:
    """Ask something of a run; return how that ended, and what it came to."""
    if action == "load":
        return _load(path / file)
    arguments = {
        "evaluate": ["evaluate", "x", "--sizes", "2", "4", "--sequences", "16", "--json"],
        "plot": ["plot", "x", "--size", "3", "--out", "drawn"],
        "report": ["report", "x", "--out", "drawn/report.html"],
        "resume": ["resume", "x"],
    }[action]
    (path.parent / "drawn").mkdir(exist_ok=True)
    ended = command(arguments, path.parent)
    if action == "resume":
        return ended, state_of(path) if ended.status == 0 else None
    drawn = {
        str(p.relative_to(path.parent)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted((path.parent / "drawn").rglob("*"))
        if p.is_file()
    }
    return ended, (ended.out.replace(str(path.parent), ""), drawn)


def _load(file: Path) -> tuple[Ended, Any]:
    """Read a trace as the viewer does."""
    from softmachine.core.errors import TraceError
    from softmachine.traces.file import load_trace

    try:
        return Ended(0), hashlib.sha256(load_trace(file).to_bytes()).hexdigest()
    except TraceError as error:
        return Ended(2, err=f"softmachine: {error}\n"), None


EXPECTED: dict[tuple[str, str, str], Any] = {}
"""What came of whole runs, in this process."""


def judge(job: tuple[Case, str]) -> tuple[str, str]:
    """Return what a case came to, in a word of the table, and a reason."""
    case, where = job
    folder = Path(where)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        path = Path(place) / "x"
        key = (case.base, case.action, case.file if case.action == "load" else "")
        if key not in EXPECTED:
            shutil.copytree(folder / case.base, path)
            ended, EXPECTED[key] = ask(case.action, path, case.file)
            assert ended.status == 0, ended
            shutil.rmtree(Path(place))
            os.makedirs(place)
        shutil.copytree(folder / case.base, path)
        _hurt(case, folder, path)
        before = _bytes(path / case.file)
        ended, found = ask(case.action, path, case.file)
        # What is still as damaged as it was is a matter between it and who reads it.
        untouched = case.file if before == _bytes(path / case.file) else None
        return verdict(ended, _same(found, EXPECTED[key], untouched))


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _same(found: Any, expected: Any, untouched: str | None) -> bool:
    if isinstance(found, dict) and isinstance(expected, dict):
        return set(differences(found, expected)) <= {untouched}
    return found == expected


def verdict(ended: Ended, same: bool) -> tuple[str, str]:
    """Return what is to be said of how something ended."""
    if ended.status == "traceback" or "Traceback (most recent" in ended.out + ended.err:
        return "traceback", ended.err[-600:]
    if ended.status == 70 or "the traceback is in" in ended.err:
        return "unforeseen", ended.err
    if ended.status == 0:
        if same:
            return "as ever", ""
        return (
            ("told, and went on", "")
            if "softmachine: note:" in ended.err
            else ("silently different", ended.out[-300:])
        )
    lines = ended.err.strip().splitlines()
    if ended.status == 2 and len([x for x in lines if "note:" not in x]) == 1:
        return "refused in a line", ended.err
    return "otherwise", f"status {ended.status}: {ended.err[-600:]}"

"""Hostile input: refused in one line, or taken for what it is."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from damage import verdict
from workers import Ended, command

ODD_NUMBERS = """
nan inf -inf -1 0 1e20 99999999999999999999 1e999 x 0x10 [3] 3.5.1
""".split()  # noqa: SIM905
ODD_NUMBERS += ["", "-" * 50, "9" * 5000]
NAMES = r"""
. .. / /dev/null /proc/self - -- zoo: zoo:* zoo:../x ~ $HOME con: %s%n {} []
http://localhost/x ZOO:ntm-copy
""".split()  # noqa: SIM905
NAMES += ["", " ", "a" * 300, "a/" * 3000, "zoo:" + "x" * 9999, "\udcff", "\x1b[31mred",
          "two\nlines", "\u202egnp", "'; rm -rf x", "\U0001f600", "zoo:ntm-copy\n"]  # fmt: skip
SOURCES = ("evaluate", "plot", "repair", "moves", "report", "program", "publish", "resume",
           "ledger", "view")  # fmt: skip
VALUES = (-1, 0, 2**31, 10**20, -(10**30), 1.5, 1e308, True, None, "1", "", [], [1], {}, "\x00")


def cases(count: int, seed: int) -> Iterator[tuple[str, int]]:
    """Draw kinds of hostility, each with a seed."""
    rng = random.Random(seed)
    for i in range(count):
        yield list(KINDS)[i % len(KINDS)], rng.randrange(2**31)


def judge(case: tuple[str, int]) -> tuple[str, str]:
    """Return what a case came to, in a word of the table, and a reason."""
    kind, seed = case
    with tempfile.TemporaryDirectory() as place:
        try:
            found, why = KINDS[kind](random.Random(seed), Path(place))
        except Exception as error:
            import traceback

            return "traceback", "".join(traceback.format_exception(error))[-900:]
        left = [p for p in Path(place).rglob("*") if p.is_file() and p.name != "given"]
        if found == "refused in a line" and left:
            return "otherwise", f"refused, and left {left[0]}"
        return found, why


# Lines of examples


def _lines(rng: random.Random, place: Path) -> tuple[str, str]:
    """Read lines that were damaged; what is taken has to be what a plain reader finds."""
    from softmachine.core.errors import ExamplesError
    from softmachine.tasks.memories.examples import parse_examples

    del place
    text = _damaged_lines(rng)
    try:
        found = parse_examples(text)
    except ExamplesError as error:
        ended = Ended(2, err=f"softmachine: {error}\n")
        return verdict(ended, same=False) if len(str(error)) < 2000 else ("otherwise", "long")
    plain = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            plain[number] = json.loads(line)
    same = all(_says(example, plain[example.line]) for example in found)
    return verdict(Ended(0), same=same)


def _says(example: Any, line: dict[str, Any]) -> bool:
    mask = [bool(x) for x in line.get("mask", [1] * len(line["output"]))]
    return (
        list(example.before) == line["input"]
        and list(example.after) == line["output"]
        and list(example.scored) == mask
    )


def _damaged_lines(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randrange(1, 6)):
        cells = rng.randrange(1, 6)
        value = {"input": [rng.randrange(cells) for _ in range(cells)]}
        value["output"] = [rng.randrange(cells) for _ in range(cells)]
        lines.append(json.dumps(value))
    text = "\n".join(lines)
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(text) + 1)
        some = rng.choice(('"', "[", "}", ",", "NaN", "9" * 400, "-", "\u2028", "\x00", "1e400",
                           "[" * 5000, '{"input": [1], "output": [1]}', "\n", "\ufeff", ".5",
                           '"mask": [2], ', "true", "\udcff", '"size": 1e9, '))  # fmt: skip
        text = text[:place] + some + text[place + rng.randrange(3) :]
    return text


# Options and names


def _option(rng: random.Random, place: Path) -> tuple[str, str]:
    """Give a number that is none to an option that takes numbers."""
    options = {
        "evaluate": (
            "--sizes",
            "--sequences",
            "--seed",
            "--memory-rows",
            "--sharpening-factor",
        ),
        "plot": ("--size", "--seed", "--memory-rows", "--sharpening-factor"),
        "moves": ("--size", "--seed", "--sequences", "--memory-rows"),
        "trace": ("--size", "--seed", "--every", "--memory-rows"),
        "report": ("--seed",),
        "repair": ("--updates", "--tables", "--examples", "--seed"),
        "program": ("--seed", "--to"),
        "synthesize": ("--minutes", "--members", "--enough", "--memory", "--registers"),
        "ledger": ("--sequences",),
    }
    name = rng.choice(list(options))
    option = rng.choice(options[name])
    bad = [x for x in ODD_NUMBERS if not (x == "0" and option == "--seed")]
    arguments = [name, "zoo:ntm-copy", option, rng.choice(bad)]
    if name == "trace":
        arguments += ["--out", "given"]
    return verdict(command(arguments, place), same=False)


def _field(rng: random.Random, place: Path) -> tuple[str, str]:
    """Give a number that is none to a field of a recipe."""
    recipe = rng.choice(("ntm-copy", "nram-copy", "lstm-copy"))
    from softmachine.recipes import get_recipe

    experiment = get_recipe(recipe)
    fields = list(_numbers(experiment.machine, "machine")) + list(
        _numbers(experiment.training, "training")
    )
    field = rng.choice(fields)
    bad = rng.choice(("nan", "inf", "-inf", "1e20", "99999999999999999999", "x", "-5"))
    if bad == "-5" and field.endswith(("forget-bias",)):
        bad = "nan"
    return verdict(command(["train", recipe, f"--{field}", bad], place), same=False)


def _numbers(config: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}.{field.name}".replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from _numbers(value, name)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name


def _task_field(rng: random.Random, place: Path) -> tuple[str, str]:
    field, value = rng.choice(("width", "x", "", "kind_of")), rng.choice(VALUES)
    text = rng.choice((json.dumps(value), "[" * 10_000, "NaN", "{", "1e400", "\x00"))
    if field == "width" and text == "8":
        text = "{"
    arguments = ["evaluate", "zoo:ntm-copy", "--task", f"{field}={text}"]
    return verdict(command(arguments, place), same=False)


def _name(rng: random.Random, place: Path) -> tuple[str, str]:
    """Give names that are none to commands that read."""
    name = rng.choice(NAMES)
    arguments = [rng.choice(SOURCES), name]
    return verdict(command(arguments, place), same=False)


def _run_name(rng: random.Random, place: Path) -> tuple[str, str]:
    """Give names that are none to what would write: it is refused, or written within."""
    import small

    name = rng.choice([x for x in NAMES if not x.startswith(("/", "~"))])
    if os.path.normpath(name) in (".", "..") or ".." in name:
        name = "two\nlines"
    ended = command(small.ntm(name, 8), place)
    made = {str(p.relative_to(place)) for p in place.rglob("config.json")}
    if ended.status == 0:
        inside = made == {os.path.join(os.path.normpath(name), "config.json")}
        return verdict(ended, same=inside)
    found = verdict(ended, same=False)
    if made:
        return "otherwise", f"refused, and made {made}"
    return found


def _word(rng: random.Random, place: Path) -> tuple[str, str]:
    words = [*NAMES, "evaluat", "train", "--help x", "--version y", "-h-", "--\x1b"]
    chosen = [rng.choice(words) for _ in range(rng.randrange(1, 4))]
    if chosen[0] in ("", "-"):
        chosen[0] = "bogus"
    return verdict(command(chosen, place), same=False)


# Inputs of machines

PROGRAMS: dict[str, Any] = {}


def _memory(rng: random.Random, place: Path) -> tuple[str, str]:
    """Trace a memory that may be none; what is taken ends as the program ends."""
    cells = rng.randrange(3, 9)
    value: Any = [rng.randrange(cells) for _ in range(cells)]
    for _ in range(rng.randrange(3)):
        value[rng.randrange(cells)] = rng.choice((*VALUES, 1, 2))
    text = json.dumps(value)
    if rng.random() < 0.3:
        odd = ["[" * 50_000, "NaN", "[NaN]", "{}", "", "3", "[]", "null", "[1e400]", "\udcff"]
        text = rng.choice([*odd, text[:-1], f"[{text}]", f"[{'9' * 5000}]"])
    file = place / "given"
    file.write_bytes(text.encode(errors="surrogateescape"))
    arguments = ["trace", "zoo:nram-reverse", "--input", "given", "--out", "x.trace"]
    ended = command(arguments, place)
    if ended.status != 0:
        return verdict(ended, same=False)
    from softmachine.traces.file import load_trace

    made = load_trace(place / "x.trace")
    after = made.fields["memory"][-1].argmax(axis=-1).tolist()
    expected = _program("zoo:nram-reverse", place)(list(json.loads(text)))
    return verdict(ended, same=after == expected)


def _program(source: str, place: Path) -> Any:
    if source not in PROGRAMS:
        from softmachine.programs.running import load_python

        PROGRAMS[source] = load_python(command(["program", source], place).out)
    return PROGRAMS[source]


def _rows(rng: random.Random, place: Path) -> tuple[str, str]:
    """Trace rows of bits that may be none, of a machine that takes nine channels."""
    steps = rng.randrange(1, 6)
    value: Any = [[rng.randrange(2) for _ in range(9)] for _ in range(steps)]
    kind = rng.randrange(6)
    if kind == 0:
        value[rng.randrange(steps)][rng.randrange(9)] = rng.choice([*VALUES[2:], float("nan")])
    elif kind == 1:
        value[rng.randrange(steps)].append(0)
    elif kind == 2:
        value = rng.choice(([], [[]], {}, None, 3, [[[0] * 9]], ["0" * 9], [0] * 9))
    file = place / "given"
    file.write_text(json.dumps(value))
    arguments = ["trace", "zoo:ntm-copy", "--input", "given", "--out", "x.trace"]
    ended = command(arguments, place)
    if ended.status != 0:
        return verdict(ended, same=False)
    from softmachine.traces.file import load_trace

    shown = load_trace(place / "x.trace").example["inputs"].tolist()
    return verdict(ended, same=shown[: len(value)] == value)


KINDS = {
    "lines of examples": _lines,
    "options": _option,
    "fields of recipes": _field,
    "fields of tasks": _task_field,
    "names to read": _name,
    "names to write": _run_name,
    "words": _word,
    "memories": _memory,
    "rows of bits": _rows,
}

"""A task of a person's own sequences, read from files: what comes in, and what is wanted."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from softmachine.core.choices import Count, check_fields
from softmachine.core.errors import ExamplesError
from softmachine.core.pytrees import PyTree
from softmachine.core.rendering import Rows
from softmachine.core.specs.bits import Bits
from softmachine.core.specs.gaussians import Gaussians
from softmachine.core.specs.inputs import Reals
from softmachine.core.specs.spec import Spec, Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.tasks.own.lines import Line, Part, digest_of, parse_input
from softmachine.tasks.own.table import Table, parsed, table_of
from softmachine.tasks.registry import task
from softmachine.tasks.task import Example, SequenceTask

BLANKS, ENDS = "._~ ", "$#;|"
"""Letters for a blank input and for the end of an answer: the first that the data lack."""
CLASSES = string.ascii_uppercase + string.ascii_lowercase + string.digits
"""Letters for classes whose names are longer than a letter."""

TESTED = 6
"""How many lengths are tested where nobody says which."""

Kind = Literal["letters", "bits", "reals"]


@task("own-sequences")
@dataclasses.dataclass(frozen=True, kw_only=True)
class OwnSequences(SequenceTask):
    r"""Sequences from a file, or a folder of files; `own_sequences` looks what is in them.

    The size of an example is the length of its input. A machine reads the input, a value per
    step. An answer follows it: it is due while the machine reads blanks. ``labels``, one for
    each step, are due at once. A sample is one of the part's sequences of the existing length
    nearest to its size, all equally likely.

    Inputs have one channel more than the data: 1 where a blank comes in. Answers of letters
    end with an end letter, which is scored.

    The files are not copied. If they change, `digest` tells, and no examples are drawn.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.jsonl"
    >>> path.write_text('{"input": "ab", "output": "ba"}\n' * 5)
    160
    >>> task = own_sequences(path)
    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=4)))
    input   ab...
    target  ..ba$

    A label is due as soon as the input has ended:

    >>> path.write_text('{"input": "ab", "label": 0}\n{"input": "cab", "label": 1}\n' * 9)
    513
    >>> task = own_sequences(path)
    >>> print(task.render(task.sample(jax.random.key(0), 2, max_size=4)))
    input   ab.
    target  ..0
    """

    path: str = ""
    """The file, or the folder."""
    digest: str = ""
    """What `digest_of` returns for it; empty: whatever is there."""
    inputs_of: Kind = "letters"
    letters: str = BLANKS[0]
    """The letters of inputs, the blank last; for other kinds nothing but the blank."""
    input_channels: Count = 1
    """The numbers of a step's input, of bits and reals."""
    outputs_of: Literal["letters", "bits", "reals", "classes"] = "classes"
    answers: tuple[str, ...] = ("0", "1")
    """The letters of answers, their end last; or the names of classes."""
    output_channels: Count = 1
    """The numbers of a step's answer, of bits and reals."""
    at_once: bool = False
    """Whether an answer is due at every step of the input, and not after it."""
    lengths: tuple[Count, Count] = (1, 1)
    """The lengths of the shortest and of the longest input."""
    longest_answer: Count = 1
    """The length of the longest answer, its end included."""
    part: Part = "training"
    """The part that `sample` draws from."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)

    @property
    def needs(self) -> str:
        """The files."""
        return f"Its examples are a person's own, looked for in `{self.path}`."

    @property
    def inputs(self) -> Stream[Spec]:
        """Letters, bits or real numbers, and a channel for blanks."""
        if self.inputs_of == "letters":
            return Stream(Symbols(self.letters))
        of = Bits if self.inputs_of == "bits" else Reals
        return Stream(of(self.input_channels + 1))

    @property
    def outputs(self) -> Stream[Spec]:
        """Letters, classes, bits, or a real number with its variance."""
        if self.outputs_of == "bits":
            return Stream(Bits(self.output_channels))
        if self.outputs_of == "reals":
            return Stream(Gaussians())
        return Stream(Symbols(self.alphabet))

    @property
    def alphabet(self) -> str:
        """A letter for each letter of answers, or for each class."""
        if all(len(name) == 1 for name in self.answers):
            return "".join(self.answers)
        return CLASSES[: len(self.answers)]

    @property
    def input_labels(self) -> list[str]:
        """A label for each letter or number, and one for the blank."""
        if self.inputs_of == "letters":
            return [*self.letters[:-1], "blank"]
        what = "bit" if self.inputs_of == "bits" else "number"
        return [*(f"{what} {i + 1}" for i in range(self.input_channels)), "blank"]

    @property
    def output_labels(self) -> list[str]:
        """The letters or classes, or a label for each bit."""
        if self.outputs_of in ("letters", "classes"):
            end = ["end"] if self.outputs_of == "letters" else []
            return [*self.answers[: len(self.answers) - len(end)], *end]
        if self.outputs_of == "reals":
            return ["mean", "log variance"]
        return [f"bit {i + 1}" for i in range(self.output_channels)]

    @property
    def smallest(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The length of the shortest input."""
        return self.lengths[0]

    @property
    def largest(self) -> int:
        """The length of the longest input."""
        return self.lengths[1]

    @property
    def test_sizes(self) -> list[int]:
        """Up to `TESTED` lengths of sequences for tests, spread over all of them."""
        sizes = table_of(self.held_out(larger=True)).sizes
        places = np.linspace(0, len(sizes) - 1, min(len(sizes), TESTED)).round().astype(int)
        return [int(size) for size in sizes[places]]

    def steps(self, size: Any) -> Any:
        """Return one step for each value of the input and, if it follows, of an answer."""
        return size if self.at_once else size + self.longest_answer

    def items(self, size: int) -> int:
        """Return 0: nobody knows how much of the input has to be remembered."""
        del size
        return 0

    def held_out(self, *, larger: bool = False) -> OwnSequences:
        """Return the task that draws sequences for validation, or with ``larger`` for tests."""
        return dataclasses.replace(self, part="test" if larger else "validation")

    def data(self) -> PyTree:
        """Return the sequences of the part, by length; see `Table`."""
        return {name: jnp.asarray(array) for name, array in table_of(self)._asdict().items()}

    def sample(
        self,
        key: PRNGKeyArray,
        size: Int[Array, ""] | int,
        *,
        max_size: int,
        data: PyTree = None,
    ) -> Example:
        """Draw a sequence of the existing length nearest to ``size``; see `Task.sample`.

        It is padded to the part's shortest length if that is more than ``max_size``.
        """
        self.check_size(size, max_size)
        max_size = max(max_size, int(table_of(self).sizes[0]))
        table = Table(**(self.data() if data is None else data))
        beyond = jnp.where(table.sizes > max_size, 2 * self.largest + max_size, 0)
        group = jnp.argmin(jnp.abs(table.sizes - size) + beyond)
        place = jax.random.randint(key, (), 0, table.counts[group]) + table.firsts[group]
        length, time = table.sizes[group], jnp.arange(self.steps(max_size))
        start = 0 if self.at_once else length
        inputs = self._encoded(table.inputs[place], length, time)
        due = (time >= start) & (time < start + table.lengths[place])
        answer = table.answers[place]
        targets = answer[jnp.clip(time - start, 0, len(answer) - 1)]
        targets = jnp.where(due.reshape(-1, *[1] * (targets.ndim - 1)), targets, 0)
        mask = due.astype(jnp.float32)
        there = time < start + table.lengths[place]
        return Example(
            inputs=jnp.where(there[:, None], inputs, 0),
            targets=targets,
            mask=mask[:, None] if targets.ndim > 1 else mask,
            steps=jnp.asarray(start + table.lengths[place], jnp.int32),
        )

    def _encoded(
        self, values: Array, length: Int[Array, ""] | int, time: Int[Array, " steps"]
    ) -> Float[Array, "steps width"]:
        """Return the inputs of all steps: the values, then blanks."""
        given = values[jnp.clip(time, 0, len(values) - 1)]
        comes = time < length
        width = self.inputs.spec.width
        blank = jax.nn.one_hot(width - 1, width)
        if self.inputs_of == "letters":
            given = jax.nn.one_hot(given, width)
        else:
            given = jnp.pad(given, ((0, 0), (0, 1)))
        return jnp.where(comes[:, None], given, blank).astype(jnp.float32)

    def own_example(self, value: Any, most: int) -> Example:
        """Return an example of a person's own input, as a file would have it; not scored.

        Whole inputs, with the channel of blanks, are taken as well.
        """
        whole = not isinstance(value, str) and self._is_whole(value)
        try:
            values = value if whole else parse_input(value, "inputs")
        except ValueError as error:
            raise ExamplesError(str(error)) from error
        if isinstance(values, str) and self.inputs_of == "letters":
            blanks = 0 if self.at_once or self.letters[-1] in values else self.longest_answer
            return super().own_example(values + self.letters[-1] * blanks, most)
        if not whole and self.inputs_of != "letters" and not isinstance(values, str):
            values = np.pad(values, ((0, 0), (0, 1)))
            blank = np.eye(values.shape[1], dtype=np.float32)[[-1] * self.longest_answer]
            values = np.concatenate([values, blank[: 0 if self.at_once else None]]).tolist()
        return super().own_example(values, most)

    def _is_whole(self, value: Any) -> bool:
        rows = value if isinstance(value, (list, tuple)) else []
        width = self.inputs.spec.width
        return bool(rows) and all(
            isinstance(x, (list, tuple)) and len(x) == width for x in rows
        )

    def render(self, example: Example, outputs: Any = None) -> str:
        """Return input, answer and outputs (if given) over time, or a line for each step."""
        steps, spec, given = int(example.steps), self.outputs.spec, self.inputs.spec
        inputs = np.asarray(example.inputs)[:steps]
        comes = inputs[:, -1] == 0
        if isinstance(spec, Gaussians) or isinstance(given, Reals):
            return self._as_lines(inputs, example, outputs)
        if isinstance(given, Symbols):
            rows = given.rows("input", inputs.argmax(axis=1), comes)
        else:
            rows = Rows("input", inputs[:, :-1].astype(int), comes)
        assert isinstance(spec, (Symbols, Bits))
        return spec.render([rows], example, outputs)

    def _as_lines(self, inputs: np.ndarray, example: Example, outputs: Any) -> str:
        """Return a table with a line for each step."""
        steps, spec = len(inputs), self.outputs.spec
        scored = np.asarray(spec.scored(example))[:steps].reshape(steps, -1)
        due = np.atleast_1d(scored.any(axis=-1))
        lines = [("input", "target", "output")[: 2 if outputs is None else 3]]
        given = self.inputs.spec.input_texts(inputs)
        said = [] if outputs is None else spec.output_texts(np.asarray(outputs)[:steps])
        for step, text in enumerate(given):
            answer = [self._told(np.asarray(example.targets)[step]), *said[step : step + 1]]
            lines.append((text, *(answer if due[step] else [""] * len(answer))))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(x.rjust(width) for x, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _told(self, target: Any) -> str:
        if self.outputs_of in ("letters", "classes"):
            return self.answers[int(target)]
        return " ".join(f"{x:g}" for x in np.atleast_1d(np.round(target, 3)))


def own_sequences(path: Path) -> OwnSequences:
    """Return the task of the sequences in a file or in a folder of files.

    Raises ExamplesError, naming file and line, if they cannot be used.
    """
    lines = parsed(str(path), digest_of(path))
    key, first = lines[0].key, lines[0].answer
    kind = _kind([line.input for line in lines])
    of: Any = "classes" if key != "output" else _kind([line.answer for line in lines])
    letters, answers, channels, ending = "", (), 1, 0
    if kind == "letters":
        letters = "".join(sorted({x for line in lines for x in line.input}))
    if of == "letters":
        own = sorted({x for line in lines for x in line.answer})
        answers, ending = (*own, _unused(ENDS, own, path)), 1
    elif of == "classes":
        answers = _classes(lines)
    elif not isinstance(first, (str, tuple)):
        channels = first.shape[1]
    if of == "reals" and channels > 1:
        raise ExamplesError(
            f"{lines[0].where}: output has {channels} real numbers a step; machines answer "
            "with one a step, or with bits, letters or a label"
        )
    lengths = [len(line.input) for line in lines]
    made = OwnSequences(
        path=str(path.resolve()),
        digest=digest_of(path),
        inputs_of=kind,
        letters=letters + _unused(BLANKS, letters, path),
        input_channels=1 if kind == "letters" else np.shape(lines[0].input)[1],
        outputs_of=of,
        answers=answers or ("0", "1"),
        output_channels=channels,
        at_once=key == "labels",
        lengths=(min(lengths), max(lengths)),
        longest_answer=max(len(line.answer) for line in lines) + ending,
    )
    table_of(made)
    return made


def describe(task: OwnSequences) -> str:
    """Return in a line what the files of a task hold, and how it is split."""
    parts = [
        dataclasses.replace(task, part=part) for part in ("training", "validation", "test")
    ]
    of = [len(table_of(part).lengths) for part in parts]
    shortest, longest = task.lengths
    what = {
        "letters": f"{len(task.letters) - 1} letters",
        "bits": f"{task.input_channels} bits a step",
        "reals": f"{task.input_channels} number{'s' * (task.input_channels > 1)} a step",
    }[task.inputs_of]
    answer = {
        "classes": f"{len(task.answers)} classes" + ", one a step" * task.at_once,
        "letters": f"up to {task.longest_answer - 1} of {len(task.answers) - 1} letters",
        "bits": f"up to {task.longest_answer} steps of {task.output_channels} bits",
        "reals": f"up to {task.longest_answer} numbers",
    }[task.outputs_of]
    return (
        f"{sum(of):,} sequences of {shortest} to {longest} steps ({what}); answers: {answer}. "
        f"{of[0]:,} for training, {of[1]:,} for validation, {of[2]:,} for tests."
    )


def _kind(values: Sequence[Any]) -> Kind:
    if isinstance(values[0], str):
        return "letters"
    return "bits" if all(np.isin(x, (0, 1)).all() for x in values) else "reals"


def _classes(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return the names of all classes: numbers in their order, others by the alphabet."""
    names = {name for line in lines for name in line.answer}
    ordered = sorted(
        names, key=lambda x: (not x.isdecimal(), len(x.lstrip("0")) * x.isdecimal(), x)
    )
    if len(ordered) > len(CLASSES):
        raise ExamplesError(
            f"{lines[0].where} and others have {len(ordered)} different names; at most "
            f"{len(CLASSES)} classes are possible. Real numbers are an output, not a label"
        )
    if len(ordered) < 2:
        raise ExamplesError(
            f"{lines[0].where} and all others have the same label, {ordered[0]!r}: there is "
            "nothing to learn"
        )
    return tuple(ordered)


def _unused(letters: str, used: Any, path: Path) -> str:
    for letter in letters:
        if letter not in used:
            return letter
    raise ExamplesError(
        f"{path}: the letters {' '.join(letters)} are all in use; one of them has to be free, "
        "for blanks or for ends"
    )

"""Symbolic values written as expressions of a programming language."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from softmachine.core.errors import SoftmachineError
from softmachine.programs.program import Program
from softmachine.programs.signs import never_below_zero
from softmachine.programs.values import (
    LEAST_CELLS,
    Apply,
    Atom,
    Facts,
    Load,
    Register,
    Value,
    shifted,
)
from softmachine.tasks.steps import StepRule

TURNED = {
    "LESS-THAN": ("<", ">"),
    "LESS-OR-EQUAL-THAN": ("<=", ">="),
    "EQUALITY-TEST": ("==", "=="),
}
"""Comparison operators, and those for exchanged arguments: constants are written last."""


@dataclasses.dataclass(frozen=True)
class Syntax:
    """The syntax of expressions in one language; formats are those of `str.format`."""

    wrap: Callable[[str, Value], str]
    """``(text of a sum, the sum) -> text``: the sum reduced to 0..n-1, if need be."""
    gates: dict[str, str]
    """Formats of the gates that are not linear, by the gate's name."""
    both: str
    """The operator for logical and, with its spaces."""
    load: str = "memory[{}]"
    """Format of a memory cell."""
    unbounded: bool = False
    """Whether numbers are plain integers. Then n - 1, the largest, is written -1, and numbers
    below 0 count as larger than all others."""
    rank: str = "{}"
    """Format of a number that may be below 0 where it is compared: orders them as above."""
    ranked: dict[str, str] = dataclasses.field(default_factory=dict)
    """Formats of gates with an argument that may be below 0; gates not listed compare ranks."""


class Expressions:
    """Writes the values of one program as expressions of one language."""

    def __init__(self, program: Program, syntax: Syntax) -> None:
        self.names, self.syntax = program.names, syntax
        self._never_below_zero = never_below_zero(program) if syntax.unbounded else None

    def value(self, value: Value, facts: Facts, known: dict[Atom, str]) -> str:
        """Return a value as an expression.

        Arguments:
            value: the value.
            facts: what is known not to be 0; makes some reductions modulo n superfluous.
            known: names of atoms that are held in temporary variables.

        Raises:
            SoftmachineError: the value has a gate that cannot be written as code.
        """
        if value.is_constant:
            number = value.constant
            if -3 < number < 3:
                plain = number >= 0 or self.syntax.unbounded
                return str(number) if plain else f"n - {-number}"
            return self.syntax.wrap(str(number), value)
        parts = [(self.atom(atom, facts, known), factor) for atom, factor in value.terms]
        parts.sort(key=lambda part: part[1] < 0)
        text = self._sum([*parts, (str(abs(value.constant)), value.constant)])
        (_, factor), *others = value.terms
        # A lone atom is in 0..n-1 already, and so is one less than an atom that is not 0.
        lone = factor == 1 and not others
        positive = facts.is_zero(shifted(value, -value.constant)) is False
        if lone and (value.constant == 0 or (value.constant == -1 and positive)):
            return text
        return self.syntax.wrap(text, value)

    @staticmethod
    def _sum(parts: list[tuple[str, int]]) -> str:
        """Return a sum of terms, given as texts with their factors; a number's sign is one."""
        texts = []
        for text, factor in parts:
            number = text.isdigit()
            if not factor:
                continue
            scaled = text if number or abs(factor) == 1 else f"{abs(factor)} * {text}"
            sign = "-" if factor < 0 else "+"
            texts.append(
                f" {sign} {scaled}" if texts else f"-{scaled}" if factor < 0 else scaled
            )
        return "".join(texts)

    def atom(self, atom: Atom, facts: Facts, known: dict[Atom, str]) -> str:
        """Return an atom as an expression; arguments and errors as for `value`."""
        if atom in known:
            return known[atom]
        if isinstance(atom, Register):
            return self.names[atom.number]
        if isinstance(atom, Load):
            return self.syntax.load.format(self.value(atom.address, facts, known))
        if atom.gate not in self.syntax.gates:
            raise SoftmachineError(
                f"gate {atom.gate} is not one of those that can be written as code"
            )
        form = self.syntax.gates[atom.gate]
        arguments = [self.value(argument, facts, known) for argument in atom.arguments]
        if self._has_rank(atom, facts):
            form = self.syntax.ranked.get(atom.gate, form)
            arguments = self._compared(atom, facts, arguments)
        if atom.gate in TURNED and _backwards(atom):
            sign, other = TURNED[atom.gate]
            form, arguments = form.replace(f" {sign} ", f" {other} "), arguments[::-1]
        return form.format(*arguments)

    def _has_rank(self, atom: Apply, facts: Facts) -> bool:
        """Return whether a gate compares numbers that may be below 0."""
        never = self._never_below_zero
        return (
            never is not None
            and atom.gate != "EQUALITY-TEST"
            and not all(never(argument, facts) for argument in atom.arguments)
        )

    def _compared(self, atom: Apply, facts: Facts, arguments: list[str]) -> list[str]:
        """Return the arguments of a gate as they are compared: themselves or their ranks."""
        if atom.gate in self.syntax.ranked or not self._has_rank(atom, facts):
            return arguments
        return [self.syntax.rank.format(argument) for argument in arguments]

    def condition(self, value: Value, zero: bool, facts: Facts, known: dict[Atom, str]) -> str:
        """Return the condition that a value is 0, or is not if ``zero`` is false.

        Written as a comparison of two sides where that reads better than one with 0.
        """
        sign = "==" if zero else "!="
        if len(value.terms) == 1 and abs(value.terms[0][1]) == 1:
            (atom, factor), number = value.terms[0], -value.constant
            text = self.atom(atom, facts, known)
            if isinstance(atom, Apply) and number == 0 and atom not in known:
                signs = {
                    "EQUALITY-TEST": ("==", "!="),
                    "LESS-THAN": ("<", ">="),
                    "LESS-OR-EQUAL-THAN": ("<=", ">"),
                }
                if atom.gate in signs:
                    texts = [self.value(part, facts, known) for part in atom.arguments]
                    a, b = self._compared(atom, facts, texts)
                    sign = signs[atom.gate][zero]
                    if _backwards(atom):
                        a, b = b, a
                        sign = sign.translate(str.maketrans("<>", "><"))
                    return f"{a} {sign} {b}"
            other = self.value(Value((), number * factor), facts, known)
            return f"{text} {sign} {other}"
        if len(value.terms) == 2 and not value.constant:
            (a, one), (b, other) = value.terms
            if one * other == -1:
                left, right = (self.atom(atom, facts, known) for atom in (a, b))
                return f"{left} {sign} {right}"
        text = self.value(value, facts, known)
        return f"{text} {sign} 0"


def steps_formula(steps: StepRule) -> tuple[str, bool]:
    """Return the number of steps as an expression, and whether it may come out below 0.

    The expression is in terms of ``quantity``, a variable that the program has to set before.
    """
    if steps.power != 1:
        base, negative = steps_formula(steps._replace(power=1))
        bracketed = f"({base})" if " " in base else base
        return " * ".join([bracketed] * steps.power), negative
    if not steps.factor:
        return str(steps.offset), False
    scaled = "quantity" if steps.factor == 1 else f"{steps.factor} * quantity"
    if not steps.offset:
        return scaled, steps.factor < 0
    sign = "-" if steps.offset < 0 else "+"
    return f"{scaled} {sign} {abs(steps.offset)}", min(steps.factor, steps.offset) < 0


def _backwards(atom: Apply) -> bool:
    """Return whether only the first argument of a comparison is a number."""
    first, second = (a.is_constant and 0 <= a.constant < LEAST_CELLS for a in atom.arguments)
    return first and not second

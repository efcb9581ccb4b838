"""Values: whatever is simplified stays what the gates compute, for every number of cells."""

import itertools
import random

import pytest

from softmachine.programs.values import (
    Facts,
    Load,
    Register,
    apply,
    constant,
    difference,
    of,
    total,
)


def evaluate(value, registers, n, gates):
    """Return what a value is for these registers."""
    result = value.constant
    for atom, factor in value.terms:
        if isinstance(atom, Register):
            number = registers[atom.number]
        else:
            arguments = [evaluate(a, registers, n, gates) for a in atom.arguments]
            number = gates[atom.gate][2](*arguments, n)
        result += factor * number
    return result % n


@pytest.mark.parametrize("seed", range(30))
def test_gates_of_gates(tables, seed):
    """Random circuits over three registers, some known not to be 0, all their values tried."""
    rng = random.Random(seed)
    known = rng.sample(range(3), rng.randint(0, 3))
    facts = Facts(of(Register(i)) for i in known)
    gates = {name: gate for name, gate in tables.GATES.items() if not gate[1]}
    circuit, values = [], [of(Register(i)) for i in range(3)]
    for _ in range(10):
        name = rng.choice(list(gates))
        slots = [rng.randrange(len(values)) for _ in range(gates[name][0])]
        circuit.append((name, slots))
        values.append(apply(name, tuple(values[slot] for slot in slots), facts))
    for n in (3, 4):
        for registers in itertools.product(range(n), repeat=3):
            if any(registers[i] == 0 for i in known):
                continue
            numbers = list(registers)
            for name, slots in circuit:
                numbers.append(gates[name][2](*[numbers[slot] for slot in slots], n))
            for value, number in zip(values, numbers, strict=True):
                assert evaluate(value, registers, n, gates) == number
                zero = facts.is_zero(value)
                assert zero is None or zero == (number == 0)


def test_sums_fold():
    a, b = of(Register(0)), of(Register(1))
    three = total((a, 1), (b, 1), (a, -1), (constant(3), 1))
    assert three == total((b, 1), (constant(3), 1))
    assert difference(three, b) == 3
    assert difference(three, a) is None
    assert total((a, 2), (a, -2)) == constant(0)


def test_what_is_known_of_zero():
    a = of(Register(0))
    assert Facts().is_zero(constant(2)) is False
    # 3 is 0 in a memory of three cells.
    assert Facts().is_zero(constant(3)) is None
    assert Facts([a]).is_zero(total((a, -1))) is False
    assert Facts([a]).is_zero(total((a, 1), (constant(-1), 1))) is None
    assert Facts([a]).is_zero(of(Load(a, 0))) is None

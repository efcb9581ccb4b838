"""Tasks on numbers and symbols against Python's integers and lists; formats of the sources."""

import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.tasks.arithmetic.aligned import text_of
from softmachine.tasks.arithmetic.digits import carried, product
from softmachine.tasks.arithmetic.numbers import AddNumbers, IncrementNumber, MultiplyNumbers
from softmachine.tasks.arithmetic.rearranging import RearrangeSymbols

LARGEST = 41


def numbers_of(task, letters):
    """Return the two integers that letters say; ValueError where they are not laid out so."""
    text = text_of(letters, task.letters).rstrip(".")
    first, second = text.split("+" if isinstance(task, AddNumbers) else "*")
    assert len(first) == len(second)
    return value(task, first), value(task, second)


def value(task, text):
    if getattr(task, "coding", "digits") == "bcd":
        groups = [text[i : i + 4] for i in range(0, len(text), 4)]
        assert all(group[3] in "23" and set(group[:3]) <= {"0", "1"} for group in groups)
        bits = [[int(bit) % 2 for bit in group] for group in groups]
        digits = [sum(bit << i for i, bit in enumerate(group)) for group in bits]
        assert max(digits) < 10
    else:
        digits = [int(digit) for digit in text]
        assert max(digits) < task.base
    return sum(digit * task.base**i for i, digit in enumerate(digits))


def digits(number, base, count=0):
    found = []
    while number or len(found) < count or not found:
        found.append(number % base)
        number //= base
    return found


def written(task, number, size):
    """Return the answer that is a number, as text."""
    if getattr(task, "coding", "digits") == "bcd":
        per_number = (size - 1) // 8
        bits = [
            str((d >> i) % 2 + 2 * (i == 3))
            for d in digits(number, 10, 2 * per_number)
            for i in range(4)
        ]
        return "".join(bits).ljust(size, ".")
    places = (size - 1) // 2 * 2 + 1 if task.result == "zeros" else 0
    return "".join(map(str, digits(number, task.base, places))).ljust(size, ".")


NUMBERS = [
    AddNumbers(),
    AddNumbers(base=10, result="zeros", hard=0.5),
    AddNumbers(base=4, hard=1.0, hard_kind="carries"),
    MultiplyNumbers(),
    MultiplyNumbers(base=10, hard=0.5),
    MultiplyNumbers(base=4, result="zeros"),
    MultiplyNumbers(coding="bcd", base=10, result="zeros", hard=0.3),
]


@pytest.mark.parametrize("task", NUMBERS, ids=repr)
def test_results_are_python_s(task, draw):
    sizes = [*range(task.smallest, LARGEST + 1)]
    for size, example in zip(sizes, draw(task, sizes, LARGEST), strict=True):
        letters = example.inputs.argmax(axis=1)
        first, second = numbers_of(task, letters[:size])
        result = first + second if isinstance(task, AddNumbers) else first * second
        assert text_of(example.targets[:size], task.answers) == written(task, result, size)
        assert task.well_formed(letters[:size])
        if size == LARGEST:
            targets, mask = task.answer(example.inputs[:size])
            np.testing.assert_array_equal(targets, example.targets[:size])
            assert mask.all()
        for array in (example.inputs, example.targets, example.mask):
            assert not array[size:].any()
        assert (example.inputs[:size].sum(axis=1) == 1).all()
        assert example.steps == size == example.mask.sum()


def test_numbers_of_two_thousand_digits_are_exact():
    rng = random.Random(0)
    first, second = (rng.randrange(10**2000) for _ in range(2))
    places = [jnp.array(digits(x, 10, 4001), jnp.int32) for x in (first, second)]
    total, times = jax.jit(lambda a, b: (carried(a + b, 10), product(a, b[:2000], 10)))(*places)
    np.testing.assert_array_equal(total, digits(first + second, 10, 4001))
    np.testing.assert_array_equal(times, digits(first * second, 10, 4001))
    nines = jnp.where(jnp.arange(4001) < 2000, 9, 0).astype(jnp.int32)
    np.testing.assert_array_equal(
        jax.jit(lambda a: product(a, a[:2000], 10))(nines),
        digits((10**2000 - 1) ** 2, 10, 4001),
    )


def longest_carry(first, second, base, count):
    """Return over how many digits in a row a carry is passed on."""
    carry = longest = run = 0
    for i in range(count):
        a, b = first // base**i % base, second // base**i % base
        run = run + 1 if carry and a + b == base - 1 else int(a + b >= base)
        carry = a + b + carry >= base
        longest = max(longest, run)
    return longest


def test_carries_are_a_chain_of_all_digits_but_the_last_or_none(draw):
    task = AddNumbers(hard=1.0, hard_kind="carries")
    sizes, seen = [25] * 32, set()
    for example in draw(task, sizes, LARGEST):
        first, second = numbers_of(task, example.inputs.argmax(axis=1)[:25])
        assert first + second in (2**11, 2**11 - 1)
        carries = first + second == 2**11
        lowest = (first & -first).bit_length() - 1 if carries else 0
        assert longest_carry(first, second, 2, 12) == (11 - lowest if carries else 0)
        seen.add(carries)
    assert seen == {True, False}


def test_many_of_the_tough_additions_carry_far(draw):
    def far(task):
        found = 0
        for example in draw(task, [41] * 64, LARGEST):
            pair = numbers_of(task, example.inputs.argmax(axis=1)[:41])
            found += longest_carry(*pair, 10, 20) >= 5
        return found

    assert far(AddNumbers(base=10)) <= 1
    assert far(AddNumbers(base=10, hard=1.0)) >= 8


def test_hard_factors_are_of_five_kinds(draw):
    task = MultiplyNumbers(base=10, hard=1.0)
    kinds = dict.fromkeys(("digits", "nines", "powers", "one", "square"), 0)
    for example in draw(task, [13] * 64, LARGEST):
        a, b = sorted(numbers_of(task, example.inputs.argmax(axis=1)[:13]))
        kinds["digits"] += a < 10 and b < 10
        kinds["nines"] += a == b == 10**6 - 1
        kinds["powers"] += all(str(x).strip("0") == "1" for x in (a, b))
        kinds["one"] += a < 2 and b > 10
        kinds["square"] += 10 < a == b < 10**6 - 1
    assert min(kinds.values()) >= 2
    assert sum(kinds.values()) >= 64


def test_increments_are_python_s(draw):
    for task in (IncrementNumber(), IncrementNumber(base=10)):
        sizes, carried_far = [*range(1, LARGEST + 1)], 0
        for size, example in zip(sizes, draw(task, sizes, LARGEST), strict=True):
            text = text_of(example.inputs.argmax(axis=1)[:size], task.letters)
            number = int(text[::-1], task.base)
            after = digits((number + 1) % task.base**size, task.base, size)
            assert text_of(example.targets[:size], task.answers) == "".join(map(str, after))
            assert not example.targets[size:].any()
            carried_far += (number + 1) % task.base ** (size // 3 + 2) == 0 and size > 6
        assert carried_far >= 3


def rearranged(operation, text):
    if operation == "copy":
        return text
    if operation == "reverse":
        return text[::-1]
    if operation == "duplicate":
        return (text.rstrip(".") * 2).ljust(len(text), ".")
    if operation == "sort":
        return "".join(sorted(text))
    pairs = [text[i : i + 2] for i in range(0, len(text) - 1, 2)]
    return "".join(sorted(pairs, key=lambda pair: pair[0])).ljust(len(text), ".")


@pytest.mark.parametrize("operation", ["copy", "reverse", "duplicate", "sort", "sort-pairs"])
def test_symbols_are_rearranged_as_python_does(operation, draw):
    for symbols in (2, 12):
        task = RearrangeSymbols(operation=operation, symbols=symbols)
        sizes = [*range(2, LARGEST + 1)]
        for size, example in zip(sizes, draw(task, sizes, LARGEST), strict=True):
            places = size // 2 * 2 if operation == "duplicate" else size
            letters = example.inputs.argmax(axis=1)[:places]
            text = text_of(letters, task.letters)
            given = {"duplicate": size // 2, "sort-pairs": size // 2 * 2}.get(operation, size)
            assert len(text.rstrip(".")) == given
            answer = text_of(example.targets[:places], task.answers)
            assert answer == rearranged(operation, text)
            assert task.well_formed(letters)
            assert not example.targets[places:].any()
            assert not example.inputs[places:].any()
            assert example.mask.sum() == places == example.steps


GIVEN = [
    (AddNumbers(), "1010+0111", "11001...."),
    (MultiplyNumbers(result="zeros"), "0110*0101", "001111000"),
    (MultiplyNumbers(), "0110*0101", "001111..."),
    (AddNumbers(base=10), "690+521", "122...."),
    (AddNumbers(), "00+00", "0...."),
    (AddNumbers(), "1+1.", "01.."),
    (RearrangeSymbols(operation="duplicate"), "0011....", "00110011"),
    (
        MultiplyNumbers(coding="bcd", base=10, result="zeros"),
        "11120002*01021002",
        "0012000300020002.",
    ),
    (IncrementNumber(), "110", "001"),
    (RearrangeSymbols(operation="sort-pairs", symbols=10), "31415926.", "26314159."),
]


@pytest.mark.parametrize(("task", "given", "answer"), GIVEN, ids=lambda x: str(x)[:40])
def test_formats_are_those_of_the_sources(task, given, answer):
    example = task.own_example(given, most=100)
    assert text_of(example.targets, task.answers) == answer
    assert example.mask.all()


BAD = [
    (AddNumbers(), "10+0"),
    (AddNumbers(), "10*01"),
    (AddNumbers(), "12+01"),
    (AddNumbers(), "1.+01"),
    (AddNumbers(), "1+11"),
    (IncrementNumber(), "1.1"),
    (RearrangeSymbols(), "1.1"),
    (RearrangeSymbols(operation="duplicate"), "111."),
    (RearrangeSymbols(operation="duplicate"), "0011....."),
    (MultiplyNumbers(coding="bcd", base=10, result="zeros"), "1111*0002"),
    (MultiplyNumbers(coding="bcd", base=10, result="zeros"), "0113*0002"),
]


@pytest.mark.parametrize(("task", "given"), BAD, ids=lambda x: str(x)[:40])
def test_what_is_laid_out_otherwise_has_no_answer(task, given):
    assert not task.own_example(given, most=100).mask.any()


def test_binary_coded_decimals_are_decimal():
    with pytest.raises(ValueError, match="base 10"):
        MultiplyNumbers(coding="bcd")
    task = MultiplyNumbers(coding="bcd", base=10, result="zeros")
    with pytest.raises(ValueError, match="at least 9"):
        task.sample(jax.random.key(0), 8, max_size=12)
    assert dataclasses.replace(task, coding="digits").smallest == 3

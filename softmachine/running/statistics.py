"""Statistics over seeds: how sure a success rate is, how results are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Quantiles(NamedTuple):
    """How some numbers are spread, from the lowest (the best, of errors and times) on."""

    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float


def quantiles(values: Sequence[int | float]) -> Quantiles:
    """Return the quantiles 0, 1/4, 1/2, 3/4 and 1, interpolated linearly between values.

    Raises ValueError if there are no values.

    >>> quantiles([4, 1, 2, 3])
    Quantiles(lowest=1.0, lower_quartile=1.75, median=2.5, upper_quartile=3.25, highest=4.0)
    """
    if not len(values):
        raise ValueError("there are no quantiles of no values")
    return Quantiles(*np.quantile(np.asarray(values, float), (0, 0.25, 0.5, 0.75, 1)).tolist())


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's score interval of a probability of success.

    Arguments:
        successes: how many trials succeeded.
        trials: how many there were; of none, the interval is (0, 1).
        z: half the interval's width in standard deviations; 1.96 for 95 %.

    Raises:
        ValueError: fewer than 0 successes, or more than trials.

    Source: Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927).

    >>> [round(bound, 3) for bound in wilson_interval(9, 10)]
    [0.596, 0.982]
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must be 0 to {trials}, the trials; not {successes}")
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    scale = 1 + z**2 / trials
    center = (rate + z**2 / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    # Exact at both ends, where the formula leaves a rounding error.
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == trials else center + half
    return low, high

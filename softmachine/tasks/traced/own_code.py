"""Code of a person's own, environments and tasks: what it may raise, and how that is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from softmachine.core.errors import SoftmachineError

OWN_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What code of a person's own may raise."""


class OwnCodeError(SoftmachineError):
    """Code of a person's own failed."""


@contextlib.contextmanager
def own_code(what: str) -> Iterator[None]:
    """Raise OwnCodeError that says what failed for whatever a person's code raises."""
    try:
        yield
    except OWN_MISTAKES as error:
        raise OwnCodeError(f"{what}: {type(error).__name__}: {error}") from error

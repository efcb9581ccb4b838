"""What is said when the workers that a command was given are gone."""

from __future__ import annotations

import pytest

from softmachine.cli.workers import continued
from softmachine.core.errors import RunError, SoftmachineError, WorkersError

CONTINUES = "The same command continues, with the same workers or with others.\n"


@pytest.mark.parametrize(
    ("error", "named", "said"),
    [
        (WorkersError("the scheduler does not answer any more"), "tcp://host:8786", CONTINUES),
        (WorkersError("no worker is left"), "2", CONTINUES),
        (WorkersError("no worker is left"), None, ""),
        (RunError("cannot write"), "2", ""),
        (SoftmachineError("a file cannot be used"), "2", ""),
    ],
)
def test_only_workers_that_are_gone_are_a_reason_to_repeat(
    error: SoftmachineError, named: str | None, said: str, capsys: pytest.CaptureFixture
) -> None:
    """A command that failed for another reason would fail again."""
    with pytest.raises(type(error)), continued(named):
        raise error
    assert capsys.readouterr().out == said

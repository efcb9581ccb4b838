"""Help on a terminal: no mark-up, no line that is cut."""

import pytest

from softmachine.cli.help import plain, wrap_usage
from softmachine.cli.main import main


@pytest.mark.parametrize(
    "arguments", [[], ["train"], ["evaluate"], ["synthesize"], ["train", "ntm-repeat-copy"]]
)
def test_help_fits_80_columns_and_has_no_mark_up(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*arguments, "--help"])
    out = capsys.readouterr().out
    assert out.startswith("usage: softmachine")
    assert max(map(len, out.splitlines())) <= 80
    assert "`" not in out
    assert ">>>" not in out
    # A paragraph is filled: a line is left short only where the next word does not fit.
    lines = [line.strip("│ ") for line in out.splitlines() if line.startswith("│       ")]
    if lines:
        assert max(len(line) for line in lines) > 65


def test_docstrings_become_plain_text():
    text = """Copy ``size`` vectors of `width` bits, as in
    2014 (arXiv
    1410.5401).

    An example:

    >>> print(1)
    1

    Kinds:

    - one
    - two that is
      longer
    """
    assert plain(text) == (
        "Copy size vectors of width bits, as in 2014 (arXiv 1410.5401).\n\nKinds:\n\n"
        "- one\n- two that is longer"
    )
    assert plain("") == ""


def test_usage_breaks_between_its_parts():
    usage = "usage: softmachine train [-h] RECIPE [--run {None}|STR] [--gates [STR [STR ...]]]"
    assert wrap_usage(usage, 60) == (
        "usage: softmachine train [-h] RECIPE [--run {None}|STR]\n    [--gates [STR [STR ...]]]"
    )
    assert wrap_usage(usage, 100) == usage
    commands = "usage: softmachine [-h] {recipes,zoo,omniglot-runs}"
    assert wrap_usage(commands, 80) == commands
    assert wrap_usage(commands, 40) == "usage: softmachine [-h] COMMAND"

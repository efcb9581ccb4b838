"""The command that tells what an NTM's heads do."""

import re

from softmachine.cli.main import main


def test_every_mark_is_explained_and_every_head_named(capsys):
    main(["moves", "zoo:ntm-ff-copy", "--size", "2", "--sequences", "2"])
    out = capsys.readouterr().out
    table, legend, check = out.split("\n\n")
    for mark in ("stay", "+1", "-1", "jump", "~", "write", "(of 3)"):
        assert mark in legend
    assert "step  input" in table
    assert re.search(r"not between: read head [\d.]+%, write head [\d.]+%$", check.strip())
    assert max(map(len, out.splitlines())) <= 80

"""The list of what the seed texts say names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_and_file_that_is_named_exists():
    text = (ROOT / "docs" / "seeds.md").read_text()
    named = re.findall(r"`(\S+\.py)::(\w+)`", text)
    assert len(named) > 20
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), (file, test)
    for place in re.findall(
        r"`((?:machines|tasks|core|recipes|programs)/[\w/]*(?:\.py)?)`", text
    ):
        assert (ROOT / "softmachine" / place).exists(), place

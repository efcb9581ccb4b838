"""No word is broken on a terminal of 80 columns."""

from softmachine.cli.folding import folded
from softmachine.cli.searching import LoopDisplay
from softmachine.synthesis.search.search import Totals

LONG = "cannot be read: " + "seven words that say what is right " * 4


def test_lines_are_broken_between_words_and_stay_the_same_text():
    text = f"{LONG}\n\nshort\n{LONG}"
    lines = folded(text, hang=8).splitlines()
    assert max(map(len, lines)) <= 79
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert "" in lines
    assert "short" in lines
    path = "/" + "long/" * 30
    assert folded(f"see {path} there").splitlines() == ["see", path, "there"]


def test_progress_of_a_search_fits(capsys):
    display = LoopDisplay(0.0)
    display.line(
        Totals()._replace(tried=412_345, attempts=4, error=0.062, runs=10, seconds=1.0)
    )
    display.say(LONG)
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= 79

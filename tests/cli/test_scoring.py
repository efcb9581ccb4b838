"""What `softmachine evaluate` prints, and which sizes it takes where none are given."""

from softmachine.cli.scoring import _default_sizes, _print_scores
from softmachine.running.generalization import SizeScore
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.sequences.copy import Copy


def test_with_many_metrics_each_is_a_row_with_its_interval(capsys):
    task = Episodes()
    names = ["bits", "perfect", "wrong_symbols", *(f"instance_{k}" for k in task.reported)]
    scores = [
        SizeScore(
            size=size,
            sequences=1000,
            metrics=dict.fromkeys(names, 0.5),
            standard_errors=dict.fromkeys(names, 0.01),
        )
        for size in (2, 5)
    ]
    _print_scores(scores, task, "a machine")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    cells = [
        [x.strip() for x in line.strip("┃│").split("│" if "│" in line else "┃")]
        for line in lines
    ]
    assert ["size", "2", "5"] in cells
    assert ["instance 10", "50.0% ± 2.0%", "50.0% ± 2.0%"] in cells
    assert ["bits", "0.500 ± 0.020", "0.500 ± 0.020"] in cells


def test_no_size_is_tested_that_the_task_or_the_memory_does_not_have():
    assert _default_sizes(Copy(), 20, 128) == [20, 40, 80, 120]
    assert _default_sizes(Copy(), 20, 60) == [20, 40]
    assert _default_sizes(Episodes(), 5, 128) == [5]
    assert _default_sizes(Episodes(labels="words"), 15, None) == [15, 30, 60, 90]

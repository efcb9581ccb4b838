"""Figures: the numbers that they draw, and on what axes."""

import dataclasses

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from softmachine.evaluation.example_figures import (
    _used_rows,
    draw_example_figure,
    example_figure,
)
from softmachine.evaluation.figures import (
    Scale,
    generalization_bands,
    generalization_curve,
    instance_figure,
    learning_bands,
    learning_curve,
    learning_curve_of,
    member_levels,
    save_figure,
)
from softmachine.evaluation.function_figure import PLACES
from softmachine.evaluation.nram.memory_figure import memory_figure
from softmachine.experiments.progress import Progress
from softmachine.machines.ntm.ntm import NTMConfig
from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.recurrent import RecurrentConfig
from softmachine.recipes import get_recipe
from softmachine.running.generalization import SizeScore
from softmachine.tasks.memories.arrays import Access
from softmachine.tasks.one_shot.episodes import Episodes
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.regression import GPRegression
from softmachine.tasks.sequences.copy import Copy
from softmachine.tasks.task import ByInstance
from softmachine.traces.examples import draw_example


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def metrics(*errors, every=20):
    """Lines of metrics with these errors, one after every so many sequences."""
    return [
        {"sequences": every * (i + 1), "validation_wrong_bits": x, "validation_bits": x / 2}
        for i, x in enumerate(errors)
    ]


def scores(**errors):
    return [
        SizeScore(size=int(size[1:]), sequences=9, metrics={"wrong_bits": x, "perfect": 0.5})
        for size, x in errors.items()
    ]


def assert_line(line, xs, ys):
    np.testing.assert_allclose(line.get_xdata(), xs)
    np.testing.assert_allclose(line.get_ydata(), ys)


def assert_band(collection, xs, low, high):
    """A filled band reaches from ``low`` to ``high`` at every x."""
    corners = collection.get_paths()[0].vertices
    for x, bottom, top in zip(xs, low, high, strict=True):
        ys = corners[corners[:, 0] == x, 1]
        assert ys.min() == pytest.approx(bottom)
        assert ys.max() == pytest.approx(top)


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def test_bits_below_0_are_drawn_where_they_are():
    """Densities may be above 1: a logarithmic axis would lose such a curve."""
    lines = [
        line | {"validation_bits": x}
        for line, x in zip(metrics(8.0, 2.0), (3.0, -40.0), strict=True)
    ]
    bits = learning_curve(lines, "title", Scale("wrong_bits")).axes[1]
    assert bits.get_yscale() == "linear"
    low, high = bits.get_ylim()
    assert low <= -40 < 3 <= high
    bits = learning_curve(metrics(8.0, 2.0), "title", Scale("wrong_bits")).axes[1]
    assert bits.get_yscale() == "log"


def test_learning_bands_are_quantiles_over_members():
    """Of five members; with four gaps between them quartiles are members themselves."""
    members = [metrics(x, 2 * x) for x in (10.0, 0.0, 7.0, 1.0, 4.0)]
    axes = learning_bands({"ours": members}, Scale("wrong_bits")).axes[0]
    assert_line(axes.lines[0], [20, 40], [4, 8])
    extremes, quartiles = axes.collections
    assert_band(extremes, [20, 40], [0, 0], [10, 20])
    assert_band(quartiles, [20, 40], [1, 2], [7, 14])
    assert labels(axes) == ["ours (5)"]


def test_a_member_that_ended_keeps_its_value():
    members = [metrics(9.0, 0.0), metrics(8.0, 6.0, 4.0, 2.0), metrics(7.0, 5.0, 3.0)]
    axes = learning_bands({"ours": members}, Scale("wrong_bits")).axes[0]
    assert_line(axes.lines[0], [20, 40, 60, 80], [8, 5, 3, 2])
    assert_band(axes.collections[0], [60, 80], [0, 0], [4, 3])


def test_members_validated_at_other_times_hold_their_last_value():
    members = [metrics(8.0, 4.0, every=30), metrics(6.0, 2.0, 1.0)]
    axes = learning_bands({"ours": members}, Scale("wrong_bits")).axes[0]
    # The first member has nothing to show at 20 yet: its first value stands in.
    assert_line(axes.lines[0], [20, 30, 40, 60], [7, 7, 5, 2.5])


def test_groups_have_a_line_each_and_colours_of_their_own():
    groups = {"ours": [metrics(1.0, 2.0)], "baseline": [metrics(3.0, 4.0), metrics(5.0, 6.0)]}
    axes = learning_bands(groups, Scale("wrong_bits")).axes[0]
    ours, baseline = axes.lines
    assert_line(ours, [20, 40], [1, 2])
    assert_line(baseline, [20, 40], [4, 5])
    assert ours.get_color() != baseline.get_color()
    assert labels(axes) == ["ours (1)", "baseline (2)"]


def test_of_many_groups_none_is_left_out():
    """There were seven colours, and the eighth group had no line."""
    groups = {f"run {number}": [metrics(float(number), 0.0)] for number in range(20)}
    axes = learning_bands(groups, Scale("wrong_bits")).axes[0]
    assert labels(axes) == [f"{name} (1)" for name in groups]
    assert len({line.get_color() for line in axes.lines}) == 20


@pytest.mark.parametrize("name", ["validation_level", "level"])
def test_levels_count_members(name):
    """Stacked, the highest level below; the curriculum's own level goes before validation's."""

    def lines(*levels):
        other = {"validation_level": 9} if name == "level" else {}
        return [{"sequences": 20 * (i + 1), **other, name: x} for i, x in enumerate(levels)]

    figure = member_levels({"ours": [lines(0, 2, 2), lines(0, 1), lines(0, 0, 1)]})
    axes, colours = figure.axes
    tops = []
    for area in axes.collections:
        corners = area.get_paths()[0].vertices
        tops.append([corners[corners[:, 0] == x, 1].max() for x in (20, 40, 60)])
    # At level 2, 1 or more, 0 or more; steps hold their value up to the next one.
    assert tops == [[0, 1, 1], [0, 2, 3], [3, 3, 3]]
    assert axes.get_xlim() == (20, 80)  # the last can be seen, too
    assert axes.get_title() == "ours"
    assert [float(x.get_text()) for x in colours.get_yticklabels()] == [0, 1, 2]
    assert len({area.get_facecolor().tobytes() for area in axes.collections}) == 3


def test_generalization_bands_are_quantiles_over_members():
    members = [scores(s10=0.0, s20=x) for x in (1.0, 3.0, 100.0)]
    axes = generalization_bands({"ours": members}, 10, "wrong_bits").axes[0]
    assert_line(axes.lines[0], [10, 20], [0, 3])
    extremes, quartiles = axes.collections
    assert_band(extremes, [10, 20], [0, 1], [0, 100])
    assert_band(quartiles, [10, 20], [0, 2], [0, 51.5])
    assert labels(axes) == ["ours (3)", "trained on (up to 10)"]
    assert "wrong bits" in axes.get_ylabel()


def test_one_machine_s_figures_show_its_own_numbers():
    errors, bits = learning_curve(
        metrics(8.0, 2.0), "title", Scale("wrong_bits", 80.0), kept=40, note="a note"
    ).axes
    assert_line(errors.lines[0], [20, 40], [10, 2.5])
    assert_line(errors.lines[1], [40, 40], [0, 1])
    assert_line(bits.lines[0], [20, 40], [4, 1])
    assert errors.get_ylabel() == "wrong bits, % of 80"
    assert labels(errors) == ["kept: after 40 sequences"]
    assert errors.figure.get_supxlabel() == "a note"
    error, share = generalization_curve(
        scores(s10=0.0, s20=3.0), 10, "title", "wrong_bits"
    ).axes
    assert_line(error.lines[0], [10, 20], [0, 3])
    assert_line(share.lines[0], [10, 20], [50, 50])


def test_memory_figure_shows_every_cell_and_register(access_machine):
    """Access takes two steps to be right; the third, after stopping, does not matter."""
    figure = memory_figure(access_machine, Access(), 4, seed=0)
    memory, registers, choices, stop = figure.axes
    example, _ = draw_example(Access(), 4, 0)
    pointer = int(example.inputs[0])
    value = int(example.inputs[pointer])
    shown = np.array([text.get_text() for text in memory.texts]).reshape(6, 3).astype(int)
    assert shown[:, 0].tolist() == example.inputs.tolist()
    assert shown[:, 1].tolist() == example.targets.tolist()
    names = [label.get_text() for label in memory.get_yticklabels()]
    assert names == ["k 0 ◂", "A0 1", "A1 2", "A2 3", "A3 4", "end 5"]
    shown = np.array([text.get_text() for text in registers.texts]).reshape(2, 3).astype(int)
    assert shown[:, :2].tolist() == [[0, 0], [pointer, value]]
    names = [label.get_text() for label in choices.get_yticklabels()]
    assert names == ["READ a", "INC a", "WRITE a", "WRITE b", "r1", "r2"]
    np.testing.assert_allclose(choices.images[0].get_array(), np.ones((6, 3)), rtol=1e-5)
    np.testing.assert_allclose(stop.images[0].get_array(), [[0, 1, 0]], atol=1e-6)
    assert figure.get_suptitle() == "size 4: 0% wrong cells"


@pytest.mark.parametrize(
    ("errors", "label"),
    [
        ({"s10": 0.0, "s30": 0.16}, "wrong bits (most: 0.16 of 240, size 30)"),
        ({"s10": 0.0, "s30": 0.0}, "wrong bits (none)"),
    ],
)
def test_next_to_no_error_looks_like_it(errors, label):
    """0.16 of 240 bits stay at the foot of an axis with ticks; nothing is not 0.055 high."""
    worst = [80.0, 240.0]
    axes = generalization_curve(scores(**errors), 10, "title", "wrong_bits", worst).axes[0]
    assert_line(axes.lines[0], [10, 30], [0, 100 * errors["s30"] / 240])
    assert axes.get_ylim()[1] >= 5
    assert axes.get_yscale() == "linear"
    low, high = axes.get_ylim()
    assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 4
    assert label in labels(axes)
    assert axes.get_ylabel() == "wrong bits, % of all"


def test_a_run_that_became_worse_says_so_in_its_figure():
    lines = metrics(8.0, 0.0, 28.0)
    progress = Progress(
        sequences=60, best_error=0.0, best_sequences=40, solved_sequences=40, finished=True
    )
    experiment = get_recipe("ntm-copy")
    training = dataclasses.replace(experiment.training, phases=())
    experiment = dataclasses.replace(experiment, training=training)
    figure = learning_curve_of(experiment, "title", lines, progress)
    assert "the last parameters are worse (28 wrong bits" in figure.get_supxlabel()
    assert labels(figure.axes[0]) == ["kept: after 40 sequences"]
    # 1 to 20 vectors of 8 bits are 84 on average.
    assert figure.axes[0].get_ylabel() == "wrong bits, % of 84"
    assert_line(figure.axes[0].lines[0], [20, 40, 60], [800 / 84, 0, 2800 / 84])


def test_rows_that_were_used_stand_together_as_on_a_ring():
    most = np.zeros(20)
    most[[18, 19, 0, 2]] = 1.0  # between 2 and 18 nothing: a row of that on either side
    assert _used_rows(most).tolist() == [17, 18, 19, 0, 1, 2, 3]
    assert _used_rows(np.zeros(4)).tolist() == [0, 1, 2, 3]
    assert _used_rows(np.ones(4)).tolist() == [0, 1, 2, 3]


def test_an_example_marks_its_delimiter_and_names_its_rows():
    task = Copy(width=3)
    config = NTMConfig(controller=ControllerConfig(hidden=4), memory_rows=8, memory_columns=4)
    machine = config.build(task.input_size, task.output_size, key=jax.random.key(0))
    figure = example_figure(machine, task, 5, seed=0)
    inputs, targets, _, read, *_ = figure.axes
    for axes in (inputs, targets, read):
        assert_line(axes.lines[0], [5, 5], [0, 1])  # five vectors, then the delimiter
    assert [text.get_text() for text in inputs.texts] == ["delimiter"]
    names = [label.get_text() for label in inputs.get_yticklabels()]
    assert names == ["bit 1", "bit 3", "delimiter"]
    assert [axes.get_ylabel() for axes in figure.axes[:6]] == [
        "inputs", "targets", "outputs", "read head", "write head", "memory"
    ]  # fmt: skip
    assert figure.axes[-1].get_ylabel() == "norm of row"
    assert read.get_yticklabels()[0].get_text().startswith("row ")
    assert "of 15" in figure.get_suptitle()


def test_images_stand_side_by_side():
    """Not each pixel in a row of its own, with a label and a line for the steps it is black."""
    task = Episodes(source=Glyphs(), names=5, side=12)
    machine = LSTM.build(task.input_size, task.output_size, key=jax.random.key(0))
    images, told, targets, outputs = example_figure(machine, task, 3, seed=0).axes
    example, _ = draw_example(task, 3, 0)
    given = np.asarray(example.inputs)
    steps = len(given)
    shown = np.asarray(images.images[0].get_array())
    assert shown.shape == (12, 12 * steps)
    np.testing.assert_array_equal(shown[:, 24:36], given[2, :144].reshape(12, 12))
    np.testing.assert_array_equal(told.images[0].get_array(), given[:, 144:].T)
    assert told.get_yticklabels()[0].get_text() == "was a"
    assert [axes.get_ylabel() for axes in (images, targets, outputs)] == [
        "images", "targets", "outputs"
    ]  # fmt: skip
    for axes in (images, told, targets):
        assert axes.images[0].get_extent()[:2] == [-0.5, steps - 0.5]
        assert len(axes.lines) == 0


LSTM = RecurrentConfig(controller=ControllerConfig(kind="lstm", hidden=3))


@pytest.mark.parametrize("dimensions", [1, 2])
def test_a_function_is_what_the_machine_says_of_it_after_some_points(dimensions):
    task = GPRegression(dimensions=dimensions)
    machine = LSTM.build(dimensions + 1, 2, key=jax.random.key(0))
    figure = draw_example_figure(machine, task, 4, seed=0)
    second = figure.axes[1]
    assert second.get_title() == "after 2 points"
    assert "excess bits" in figure.get_suptitle()
    example, _ = draw_example(task, 4, 0)
    seen = np.asarray(example.inputs)
    np.testing.assert_allclose(second.collections[-1].get_offsets()[:, 0], seen[:2, 0])
    np.testing.assert_allclose(second.collections[-1].get_offsets()[:, 1], example.targets[:2])
    exact, said = second.lines
    assert len(said.get_xdata()) == PLACES
    for place in (0, 40, 80):
        asked = np.zeros(dimensions)
        asked[0] = said.get_xdata()[place]
        inputs = np.concatenate([seen[:2], [[*asked, seen[2, -1]]]])
        outputs = machine(jnp.asarray(inputs, jnp.float32))
        np.testing.assert_allclose(said.get_ydata()[place], outputs[2, 0], rtol=1e-4)
        places, values = jnp.asarray(seen[:2, :-1]), jnp.asarray(example.targets[:2])
        best, _ = task.predict(places, values, jnp.asarray(asked[None], jnp.float32))
        np.testing.assert_allclose(exact.get_ydata()[place], best[0], atol=1e-5)


def test_before_the_first_point_there_is_the_prior():
    task = GPRegression()
    machine = LSTM.build(2, 2, key=jax.random.key(0))
    (axes,) = draw_example_figure(machine, task, 1, seed=0).axes
    assert axes.get_title() == "after 0 points"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0)
    assert_band(axes.collections[0], [-2, 2], [-1.96 * 1.01**0.5] * 2, [1.96 * 1.01**0.5] * 2)


def test_figures_are_saved_and_closed(tmp_path):
    figure = learning_curve(metrics(8.0, 2.0), "title", Scale("wrong_bits"))
    save_figure(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
    assert not plt.get_fignums()


def by_instance(*shares, error=0.0):
    """A score of episodes: the share of right ones among the first, second, tenth."""
    metrics = dict(zip(("instance_1", "instance_2", "instance_10"), shares, strict=True))
    errors = dict.fromkeys(metrics, error)
    return SizeScore(size=5, sequences=9, metrics=metrics, standard_errors=errors)


SHOWN = ByInstance((1, 2, 10), ("instance_1", "instance_2", "instance_10"), 0.2)


def test_one_machine_s_instances_have_intervals_and_chance():
    axes = instance_figure({"ours": [by_instance(0.2, 0.7, 0.9, error=0.01)]}, SHOWN).axes[0]
    (drawn,) = axes.containers
    np.testing.assert_allclose(drawn.lines[0].get_xydata(), [[1, 20], [2, 70], [10, 90]])
    bars = np.array([bar.vertices for bar in drawn.lines[2][0].get_paths()])
    np.testing.assert_allclose(bars[:, :, 0], [[1, 1], [2, 2], [10, 10]])
    # 95 % of a normal distribution lie within 1.96 standard errors.
    np.testing.assert_allclose(bars[:, :, 1], [[18.04, 21.96], [68.04, 71.96], [88.04, 91.96]])
    (chance,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert_line(chance, [0, 1], [20, 20])
    assert "chance (20 %)" in labels(axes)


def test_gaps_are_drawn_as_they_are_beside_the_limit():
    task = GPRegression()
    names = task.by_instance(50).metrics
    gaps = dict(zip(names, (0.01, 0.3, 0.5, 0.4, 0.3, 0.2), strict=True))
    score = SizeScore(size=50, sequences=9, metrics=gaps)
    axes = instance_figure({"ours": [score]}, task.by_instance(50)).axes[0]
    (drawn,) = axes.containers
    expected = [*zip((1, 2, 5, 10, 20, 50), gaps.values(), strict=True)]
    np.testing.assert_allclose(drawn.lines[0].get_xydata(), expected)
    assert "exact Gaussian process" in labels(axes)
    assert axes.get_ylabel().startswith("nats")
    assert axes.get_ylim()[1] < 1


def test_what_no_example_has_leaves_a_place_empty():
    one = dataclasses.replace(by_instance(0.2, 0.7, 0.9), metrics={"instance_1": 0.2})
    axes = instance_figure({"ours": [one]}, SHOWN).axes[0]
    (drawn,) = axes.containers
    np.testing.assert_allclose(drawn.lines[0].get_xydata()[:, 1], [20, np.nan, np.nan])


def test_the_instances_of_members_are_a_spread():
    members = [by_instance(0.2, x, 0.9) for x in (0.3, 0.5, 1.0)]
    axes = instance_figure({"ours": members}, SHOWN).axes[0]
    assert_line(axes.lines[0], [1, 2, 10], [20, 50, 90])
    extremes, quartiles = axes.collections
    assert_band(extremes, [1, 2, 10], [20, 30, 90], [20, 100, 90])
    assert_band(quartiles, [1, 2, 10], [20, 40, 90], [20, 75, 90])
    assert "ours (3)" in labels(axes)

"""The page inside other pages: reports, and notebooks with and without a widget."""

import pytest
from playwright.sync_api import expect

from softmachine.evaluation import report
from softmachine.programs.notes import Provenance
from softmachine.running.generalization import evaluate
from softmachine.traces.file import trace_from_bytes
from softmachine.viewer.notebook import TraceWidget


def frame_shows(page, step, last):
    page.locator("iframe").scroll_into_view_if_needed()  # nothing is drawn out of sight
    frame = page.frame_locator("iframe")
    expect(frame.locator("output.count")).to_have_text(f"{step} / {last}")
    return frame


def test_the_output_of_a_notebook_plays(new_page, ntm_trace, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{ntm_trace._repr_html_()}")
    page = new_page()
    page.goto(path.as_uri())
    last = ntm_trace.header.length
    frame = frame_shows(page, 0, last)
    frame.get_by_role("button", name="Step (→)").click()
    frame_shows(page, 1, last)
    frame.get_by_label("Step", exact=True).press("End")
    frame_shows(page, last, last)


SHOW_WIDGET = """
async ([script, state]) => {
  const { default: widget } = await import(URL.createObjectURL(
    new Blob([script], { type: "text/javascript" })));
  const heard = [];
  const model = { get: (name) => state[name], on: (names, hear) => heard.push(hear) };
  window.set = (change) => { Object.assign(state, change); heard.forEach((hear) => hear()); };
  widget.render({ model, el: document.body });
}
"""


def test_a_widget_shows_the_traces_that_it_has_now(new_page, served, ntm_trace):
    widget = TraceWidget(ntm_trace, height=500)
    page = new_page()
    page.goto("about:blank")
    state = {"page": widget.page, "height": widget.height}
    page.evaluate(SHOW_WIDGET, [widget._esm, state])
    frame_shows(page, 0, ntm_trace.header.length)
    assert page.locator("iframe").bounding_box()["height"] == 500
    other = trace_from_bytes(served[0].drawn("best", 3, 1))
    widget.traces = (other,)
    page.evaluate("page => set({ page })", widget.page)
    frame_shows(page, 0, other.header.length).get_by_role(
        "heading", name=other.header.title
    ).wait_for()


@pytest.mark.parametrize("number", [0, 1])
def test_a_report_s_traces_play(new_page, served, tmp_path, monkeypatch, number):
    monkeypatch.setattr(report, "CANDIDATES", 4)
    machine = served[number].machine("best")
    experiment = served[number].experiment
    subject = report.Subject(
        "it", experiment, machine, [], {}, {}, Provenance("it", "it", 0, None), []
    )
    scores = evaluate(machine, experiment.task, [2, 5], sequences=4)
    path = tmp_path / "report.html"
    path.write_text(report.build_report(subject, scores), encoding="utf-8")
    for width in (1280, 390):
        page = new_page(width=width)
        page.goto(path.as_uri())
        last = experiment.task.steps(3)
        frame = frame_shows(page, 0, last)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        frame.get_by_role("button", name="Step (→)").click()
        frame_shows(page, 1, last)
        frame.get_by_label("trace", exact=True).select_option(index=1)
        frame.get_by_role("heading", name="size 5").wait_for()
        frame.get_by_label("Step", exact=True).press("End")
        frame_shows(page, experiment.task.steps(5), experiment.task.steps(5))

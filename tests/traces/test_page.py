"""Traces are put into the page as data; nothing in them can leave its place."""

import base64
import html
import re
from pathlib import Path
from typing import get_args

import pytest

from softmachine.core.errors import SoftmachineError
from softmachine.core.fields import Kind
from softmachine.traces import page as module
from softmachine.traces.page import framed, live_page, page, page_with
from softmachine.traces.schema import TYPES

EVIL = '"></script><script>alert(1)</script>&<!--softmachine:live-->'


@pytest.fixture
def fresh(monkeypatch):
    """Return a way to have another file as the page."""
    page.cache_clear()
    yield lambda path: monkeypatch.setattr(module, "__file__", str(path / "page.py"))
    page.cache_clear()


def test_the_built_page_needs_nothing_else():
    text = page()
    assert text.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "@import" not in text


def test_traces_are_found_by_their_tags_alone():
    held = page_with([("one", b"\x00\x01"), (EVIL, b"</script>")])
    tags = re.findall(
        r'<script type="application/octet-stream" id="(trace-\d+)" data-name="([^"]*)">'
        r"([^<]*)</script>",
        held,
    )
    assert [tag[0] for tag in tags] == ["trace-0", "trace-1"]
    assert [html.unescape(tag[1]) for tag in tags] == ["one", EVIL]
    assert [base64.b64decode(tag[2]) for tag in tags] == [b"\x00\x01", b"</script>"]
    assert held.count("<script>alert") == page().count("<script>alert") == 0
    assert len(held) - len(page()) < 1000


def test_the_token_is_there_for_the_server_s_page_alone():
    assert '<meta name="softmachine-live" content="a&quot;b">' in live_page('a"b')
    assert 'name="softmachine-live" content="' not in page_with([("one", b"")])


def test_a_frame_holds_a_whole_page_apart():
    frame = framed([(EVIL, b"\x00")], height=300)
    found = re.fullmatch(r'<iframe srcdoc="([^"]*)" ([^<>]*)></iframe>', frame)
    assert html.unescape(found[1]) == page_with([(EVIL, b"\x00")])
    assert 'sandbox="allow-scripts allow-downloads"' in found[2]
    assert "height: 300px" in found[2]


def test_a_page_that_is_missing_or_something_else_is_an_error(fresh, tmp_path):
    fresh(tmp_path)
    with pytest.raises(SoftmachineError, match="is missing"):
        page()
    (tmp_path / "page.html").write_text("<p>hello")
    with pytest.raises(SoftmachineError, match="lacks <!--softmachine:traces-->"):
        page()


def test_a_trace_shows_itself(ntm_trace):
    shown = ntm_trace._repr_html_()
    tag = re.search(r'data-name="([^"]*)">([^<]*)<', html.unescape(shown))
    assert html.unescape(tag[1]) == ntm_trace.header.title
    arrays = base64.b64decode(tag[2])
    assert ntm_trace.fields["memory"].tobytes() in arrays


def test_a_widget_shows_the_traces_it_is_given(ntm_trace):
    from softmachine.viewer.notebook import TraceWidget

    widget = TraceWidget(ntm_trace, height=400)
    state = widget.get_state()
    assert state["height"] == 400
    assert ntm_trace.header.title in state["page"]
    assert state["page"].count('id="trace-') == page().count('id="trace-') + 1
    changes = []
    widget.observe(changes.append, "page")
    widget.traces = (ntm_trace, ntm_trace)
    assert len(changes) == 1
    assert widget.page.count('id="trace-') == page().count('id="trace-') + 2


def test_the_page_knows_the_kinds_of_fields_that_traces_have():
    """The list is written twice: for Python and for TypeScript."""
    source = Path(__file__).parents[2] / "viewer-ui" / "src" / "trace.ts"
    listed = re.search(r"const KINDS = \[(.*?)\]", source.read_text(), re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == get_args(Kind) == tuple(TYPES)

"""Files that mean harm, or are none, do none."""

import copy
import json

import numpy as np
from playwright.sync_api import expect

from .conftest import STEPS, file_of, shows

SCRIPT = "<img src=x onerror=window.harmed=1><script>window.harmed=1</script>"


def opened(page, data, tmp_path):
    path = tmp_path / "it.trace"
    path.write_bytes(data)
    page.get_by_label("Trace files", exact=True).set_input_files(path)


def test_script_in_labels_and_names_stays_text(open_traces, strange):
    description, arrays = strange
    description = json.loads(json.dumps(description).replace("a strange machine", "TITLE"))
    for key in ("title", "machine", "task", "source"):
        description[key] = SCRIPT
    description["axes"]["dial"]["labels"] = [SCRIPT] * 3
    description["scores"] = {SCRIPT: 1.0}
    for declared in description["fields"]:
        declared["description"] = declared["group"] = SCRIPT
    page = open_traces(
        (SCRIPT, file_of(description, arrays)), (SCRIPT, file_of(description, arrays))
    )
    page.get_by_role("heading", name=SCRIPT).first.wait_for()
    shows(page, 1, STEPS)
    page.locator("figure canvas").last.hover()
    page.keyboard.press("ArrowRight")
    shows(page, 2, STEPS)
    page.wait_for_timeout(300)
    assert page.evaluate("window.harmed") is None
    assert page.locator("img").count() == 0


def damaged(strange):
    """Return what is wrong, and a file in which it is."""
    description, arrays = strange
    good = file_of(description, arrays)
    length = int.from_bytes(good[:8], "little")

    def changed(path, value):
        other = copy.deepcopy(description)
        *outer, last = path
        inner = other
        for key in outer:
            inner = inner[key]
        inner[last] = value
        return file_of(other, arrays)

    def header(change):
        parsed = json.loads(good[8 : 8 + length])
        change(parsed)
        text = json.dumps(parsed).encode()
        return len(text).to_bytes(8, "little") + text + good[8 + length :]

    def entry(**values):
        return header(lambda parsed: parsed["fields/chart"].update(values))

    deep = b'{"a":' * 100_000
    yield "empty", b""
    yield "too short", good[:5]
    yield "foreign", b"\x89PNG\r\n\x1a\n" + bytes(100)
    yield "foreign text", b"<html>" * 100
    yield "cut in the header", good[: 8 + length // 2]
    yield "cut in the arrays", good[:-40]
    yield "a huge header", (2**60).to_bytes(8, "little") + b"{}"
    yield "a header as large as memory", (2**32 - 1).to_bytes(8, "little") + b"{}"
    yield "no JSON", (4).to_bytes(8, "little") + b"!!!!"
    yield "no UTF-8", (4).to_bytes(8, "little") + b"\xff\xfe\xfd\xfc"
    yield "JSON without end", len(deep).to_bytes(8, "little") + deep
    yield "no trace", header(lambda parsed: parsed.pop("__metadata__"))
    yield "another version", file_of(description, arrays, version="99")
    yield "another type", entry(dtype="F64")
    yield "a type that is none", entry(dtype="__proto__")
    yield "another shape", entry(shape=[STEPS, 3, 9])
    yield "a huge shape", entry(shape=[2**40, 2**40])
    yield "a negative shape", entry(shape=[-1, 9, 3])
    yield "outside the file", entry(data_offsets=[0, 2**50])
    yield "backwards", entry(data_offsets=[100, 0])
    yield "a missing array", header(lambda parsed: parsed.pop("fields/chart"))
    yield "a huge axis", changed(["axes", "planet", "size"], 2**50)
    yield "an axis of halves", changed(["axes", "planet", "size"], 0.5)
    yield "labels for others", changed(["axes", "planet", "labels"], ["x"])
    yield "labels of numbers", changed(["axes", "dial", "labels"], [1, 2, 3])
    yield "a huge length", changed(["length"], 10**12)
    yield "steps in disorder", changed(["steps"], [6, 5, 4, 3, 2, 1])
    yield "steps beyond the end", changed(["steps"], [1, 2, 3, 4, 5, 60])
    yield "an unknown kind", changed(["fields", 0, "kind"], "constructor")
    yield "an unknown axis", changed(["fields", 0, "axes"], ["toString"])
    yield "a name from elsewhere", changed(["fields", 0, "name"], "__proto__")
    yield "a list for an object", changed(["axes"], [])
    yield (
        "a circuit of nothing",
        changed(["circuit"], {"registers": 0, "gates": [], "choices": []}),
    )
    yield "a circuit in a circle", changed(["circuit"], {
        "registers": 1, "gates": [{"name": "A", "symbol": "A", "arity": 1, "memory": ""}],
        "choices": [{"gate": 0, "argument": 0, "sources": 2}],
    })  # fmt: skip


def test_files_that_are_damaged_or_foreign_are_refused_in_words(open_traces, strange, tmp_path):
    page = open_traces()
    page.get_by_role("heading", name="Drop a trace here").wait_for()
    message = page.get_by_role("alert")
    for what, data in damaged(strange):
        page.evaluate("document.querySelector('.message').textContent = ''")
        opened(page, data, tmp_path)
        expect(message).not_to_be_empty()
        said = message.inner_text()
        assert said.startswith("it.trace: T"), (what, said)
        assert len(said) < 300, what
        assert page.locator("article").count() == 0, what
    opened(page, file_of(*strange), tmp_path)
    page.get_by_role("heading", name="a strange machine").wait_for()


def test_a_damaged_trace_in_the_page_is_told(open_traces, strange):
    page = open_traces(("it", file_of(*strange)[:-4]))
    page.get_by_role("alert").wait_for()
    assert "damaged" in page.get_by_role("alert").inner_text()


def test_numbers_that_are_none_are_shown(open_traces, strange):
    description, arrays = strange
    for name in (
        "fields/dials",
        "fields/light",
        "fields/orbits",
        "fields/chart",
        "example/outputs",
    ):
        arrays[name] = arrays[name].copy()
        arrays[name][1::2] = np.nan
        arrays[name].flat[0] = np.inf
        arrays[name].flat[1] = -np.inf
    arrays["fields/aim"][:] = -(2**31)
    page = open_traces(("it", file_of(description, arrays)))
    page.get_by_role("heading", name="a strange machine").wait_for()
    for step in range(1, STEPS + 1):
        shows(page, step, STEPS)
        page.keyboard.press("ArrowRight")
    for canvas in page.locator("figure canvas").all():
        canvas.hover()


def test_the_page_reaches_nothing_else(open_traces, strange, new_page):
    page = new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_traces(("it", file_of(*strange)), page=page)
    page.get_by_role("heading", name="a strange machine").wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []

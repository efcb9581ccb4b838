"""The viewer's page as one HTML file, with traces embedded in it.

``page.html`` beside this module is built from ``viewer-ui`` and loads nothing else.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from softmachine.core.errors import SoftmachineError

TRACES = "<!--softmachine:traces-->"
LIVE = "<!--softmachine:live-->"
"""Placeholders in the page for embedded traces and for the server's token."""

HEIGHT = 760
"""Height of the page when it is embedded in another one, in pixels."""


@cache
def page() -> str:
    """Return the page without traces; SoftmachineError if it is missing or was not built."""
    path = Path(__file__).with_name("page.html")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SoftmachineError(f"the viewer's page is missing: {path}") from error
    for marker in (TRACES, LIVE):
        if text.count(marker) != 1:
            raise SoftmachineError(f"{path} was not built from viewer-ui: it lacks {marker}")
    return text


@cache
def policy() -> str:
    """Return the page's Content-Security-Policy.

    The page names it in a meta element, since a file has no headers. A server sends it as a
    header as well.
    """
    found = re.search(
        r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"', page(), re.IGNORECASE
    )
    if found is None:
        raise SoftmachineError("the viewer's page has no Content-Security-Policy")
    return found[1]


def page_with(traces: Iterable[tuple[str, bytes]]) -> str:
    """Return the page with embedded traces, each given as a name and its file's content."""
    return page().replace(TRACES, _embedded("trace", traces))


def page_with_machines(machines: Iterable[tuple[str, bytes]]) -> str:
    """Return the page with machines that it runs by itself, each as a name and its file.

    `softmachine.viewer.live_file` makes such files.
    """
    return page().replace(TRACES, _embedded("machine", machines))


def _embedded(kind: str, files: Iterable[tuple[str, bytes]]) -> str:
    """Return elements that hold files, each given as a name and its content."""
    return "\n".join(
        f'<script type="application/octet-stream" id="{kind}-{i}" '
        f'data-name="{html.escape(name)}">{base64.b64encode(data).decode()}</script>'
        for i, (name, data) in enumerate(files)
    )


def live_page(token: str) -> str:
    """Return the page of a live viewer, which fetches traces from its server.

    ``token``: authenticates the page's requests.
    """
    tag = f'<meta name="softmachine-live" content="{html.escape(token)}">'
    return page().replace(LIVE, tag)


def framed(traces: Iterable[tuple[str, bytes]], *, height: int = HEIGHT) -> str:
    """Return an HTML element that shows the page with traces inside another page, sandboxed.

    Arguments:
        traces: each a name and its file's content.
        height: of the element, in pixels.
    """
    return (
        f'<iframe srcdoc="{html.escape(page_with(traces))}" title="softmachine traces" '
        'sandbox="allow-scripts allow-downloads" loading="lazy" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
    )

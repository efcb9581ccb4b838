"""The built page, with traces put into it.

``page.html`` beside this module is built from ``viewer-ui``; it needs nothing else.
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
"""Where in the page traces and the server's token go."""

HEIGHT = 760
"""Of a page inside another one, in pixels."""


@cache
def page() -> str:
    """Return the page as it was built; SoftmachineError if it is not there."""
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
    """Return the Content-Security-Policy that the page itself names.

    It is a part of the page because a file has no headers; a server says it as well.
    """
    found = re.search(
        r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"', page(), re.IGNORECASE
    )
    if found is None:
        raise SoftmachineError("the viewer's page has no Content-Security-Policy")
    return found[1]


def page_with(traces: Iterable[tuple[str, bytes]]) -> str:
    """Return a page that holds traces, each a name and what its file holds."""
    tags = [
        f'<script type="application/octet-stream" id="trace-{i}" '
        f'data-name="{html.escape(name)}">{base64.b64encode(data).decode()}</script>'
        for i, (name, data) in enumerate(traces)
    ]
    return page().replace(TRACES, "\n".join(tags))


def live_page(token: str) -> str:
    """Return a page that asks its server for traces."""
    tag = f'<meta name="softmachine-live" content="{html.escape(token)}">'
    return page().replace(LIVE, tag)


def framed(traces: Iterable[tuple[str, bytes]], *, height: int = HEIGHT) -> str:
    """Return the page with traces as an element of another page, apart from its scripts."""
    return (
        f'<iframe srcdoc="{html.escape(page_with(traces))}" title="softmachine traces" '
        'sandbox="allow-scripts allow-downloads" loading="lazy" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
    )

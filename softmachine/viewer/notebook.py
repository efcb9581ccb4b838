"""Traces in notebooks as a widget; `Trace` shows itself without one, too."""

from __future__ import annotations

import traitlets
from anywidget import AnyWidget

from softmachine.traces.file import Trace
from softmachine.traces.page import HEIGHT, page_with

_SCRIPT = """
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.title = "softmachine traces";
  frame.sandbox = "allow-scripts allow-downloads";
  const show = () => {
    frame.style = `width: 100%; border: 0; height: ${model.get("height")}px`;
    frame.srcdoc = model.get("page");
  };
  model.on("change:page change:height", show);
  show();
  el.replaceChildren(frame);
}
export default { render };
"""


class TraceWidget(AnyWidget):
    """Traces in a notebook; set ``traces`` and the page shows the new ones.

    Arguments:
        traces: what to show.
        height: in pixels.
    """

    _esm = _SCRIPT
    page = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)

    def __init__(self, *traces: Trace, height: int = HEIGHT) -> None:
        super().__init__(height=height)
        self.traces = traces

    @property
    def traces(self) -> tuple[Trace, ...]:
        """What is shown."""
        return self._traces

    @traces.setter
    def traces(self, traces: tuple[Trace, ...]) -> None:
        self._traces = tuple(traces)
        self.page = page_with((trace.header.title, trace.to_bytes()) for trace in traces)

"""A notebook widget that shows traces and can be given new ones.

A single `Trace` needs no widget: it displays itself.
"""

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
    """The viewer with traces, as a widget. Set ``traces`` to replace those shown.

    Arguments:
        traces: the traces to show.
        height: of the widget, in pixels.
    """

    _esm = _SCRIPT
    page = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)

    def __init__(self, *traces: Trace, height: int = HEIGHT) -> None:
        super().__init__(height=height)
        self.traces = traces

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The traces that are shown."""
        return self._traces

    @traces.setter
    def traces(self, traces: tuple[Trace, ...]) -> None:
        self._traces = tuple(traces)
        self.page = page_with((trace.header.title, trace.to_bytes()) for trace in traces)

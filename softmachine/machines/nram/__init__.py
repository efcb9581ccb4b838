"""The Neural Random-Access Machine (Kurach, Andrychowicz and Sutskever 2016)."""

# Where there is an NRAM, those who run machines find its packed form.
from softmachine.machines.nram import packed as packed
from softmachine.machines.nram import packed_soft_gates as packed_soft_gates

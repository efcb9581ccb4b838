"""The Neural Random-Access Machine (Kurach, Andrychowicz and Sutskever 2016)."""

"""The papers of machines and tasks: docstrings name them, and here is how to cite them."""

from __future__ import annotations

import functools
import re
import sys
from importlib.resources import files
from typing import Any

import softmachine
from softmachine.experiments.experiment import Experiment

_NAMED = re.compile(r"arXiv\s+(\d{4}\.\d{4,5})\b|\b(10\.\d{4,}/[\w./-]*\w)")
_ENTRY = re.compile(r"^@\w+\{.*?^\}$", re.MULTILINE | re.DOTALL)
_KNOWN_BY = re.compile(r"^  (?:eprint|doi) = \{(.*)\}", re.MULTILINE)


@functools.cache
def bibliography() -> dict[str, str]:
    """Return the BibTeX entry of each paper, by its arXiv number or its DOI."""
    text = files(softmachine).joinpath("experiments", "papers.bib").read_text("utf-8")
    entries = _ENTRY.findall(text)
    return {number: entry for entry in entries for number in _KNOWN_BY.findall(entry)}


def papers_of(part: Any) -> list[str]:
    """Return the arXiv numbers or DOIs of what a machine or a task is from.

    These are the ones that the docstrings of its class, of the package's classes that it is
    derived from, and of its module name.

    >>> from softmachine.tasks import Copy
    >>> papers_of(Copy())
    ['1410.5401']
    """
    own = type(part)
    kinds = [kind for kind in own.__mro__ if kind.__module__.startswith("softmachine.")]
    texts = [kind.__doc__ for kind in kinds] + [sys.modules[own.__module__].__doc__]
    found = [a or b for text in texts for a, b in _NAMED.findall(text or "")]
    return list(dict.fromkeys(found))


def cite(experiment: Experiment) -> str:
    """Return BibTeX of what an experiment uses: this package, its machine, its task.

    Papers that a machine or a task of another package names are left out: how to cite
    them is not known here.
    """
    known = bibliography()
    numbers = dict.fromkeys([*papers_of(experiment.machine), *papers_of(experiment.task)])
    papers = [known[number] for number in numbers if number in known]
    return "\n\n".join([_own_entry(), *papers])


def _own_entry() -> str:
    """Return the entry of this package, in the version that is installed."""
    return f"""@software{{softmachine,
  title = {{softmachine: differentiable computers in {{JAX}}}},
  author = {{{{The softmachine authors}}}},
  version = {{{softmachine.__version__}}},
  license = {{MIT}},
  url = {{https://github.com/softmachine-jax/softmachine}}
}}"""

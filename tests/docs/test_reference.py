"""The reference has every public name and every command.

``python tests/docs/test_reference.py`` writes its pages.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path

import docstring_parser
import pytest

from softmachine.cli import commands as _commands  # noqa: F401, this fills COMMANDS
from softmachine.cli import commands_on_models as _commands_on_models  # noqa: F401, so does this
from softmachine.cli import commands_on_runs as _commands_on_runs  # noqa: F401, so does this
from softmachine.cli.command import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"
PARTS = ("machines", "tasks", "experiments", "training", "traces", "programs", "recipes", "zoo")
WRITTEN = "<!-- Written by tests/docs/test_reference.py. -->\n"


def public_names(part):
    """Return the public names of a part of the package, or of its face, without modules."""
    module = importlib.import_module(f"softmachine.{part}".rstrip("."))
    homes = getattr(module, "_HOMES", dict.fromkeys(getattr(module, "__all__", ()), ""))
    found = {name for name, home in homes.items() if home != f"{module.__name__}.{name}"}
    return sorted(found, key=lambda name: (name.lower(), name))


def title(part):
    module = importlib.import_module(f"softmachine.{part}".rstrip("."))
    return ast.get_docstring(ast.parse(Path(module.__file__).read_text()))


def page_of(part):
    """Return the page of a part: its docstring, and each of its names for mkdocstrings."""
    name = f"softmachine.{part}".rstrip(".")
    first, _, rest = title(part).partition("\n")
    lines = (
        [WRITTEN, f"# `{name}`\n", first, rest] if rest else [WRITTEN, f"# `{name}`\n", first]
    )
    if not part:
        lines += ["\nWhat one does with all machines; the parts have the rest:\n"]
        lines += [f"- [`softmachine.{x}`]({x}.md): {title(x).splitlines()[0]}" for x in PARTS]
    lines += [f"\n::: {name}.{public}" for public in public_names(part)]
    return "\n".join(lines) + "\n"


def commands_page():
    """Return the page of the command line: what ``--help`` says of each command."""
    lines = [
        WRITTEN,
        "# Command line\n",
        "`softmachine COMMAND --help` shows types and values as well; "
        "`softmachine train RECIPE --help` every field of a recipe.\n",
    ]
    for name, parsed in sorted(COMMANDS.items()):
        lines.append(f"## {name}\n")
        said = docstring_parser.parse(parsed.__doc__)
        lines.append(f"{said.description}\n")
        parameters = inspect.signature(parsed).parameters
        explained = {x.arg_name: x.description for x in said.params}
        for parameter in parameters.values():
            if not _is_hidden(parameter):
                text = " ".join(explained[parameter.name].split())
                lines.append(f"- `{_shown(parameter)}`: {text}")
        lines.append("")
    return "\n".join(lines)


def _shown(parameter):
    positional = parameter.kind is parameter.POSITIONAL_ONLY
    return (
        parameter.name.upper()
        if positional
        else "--" + parameter.name.rstrip("_").replace("_", "-")
    )


def _is_hidden(parameter):
    return parameter.name == "machine" and parameter.kind is parameter.KEYWORD_ONLY


def pages():
    """Return the text of each page by its file."""
    found = {PAGES / f"{part}.md": page_of(part) for part in PARTS}
    return {PAGES / "index.md": page_of(""), **found, PAGES / "commands.md": commands_page()}


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_pages_are_those_of_today(path):
    """Otherwise: ``python tests/docs/test_reference.py``."""
    assert path.read_text() == pages()[path]


def test_no_other_page():
    assert set(PAGES.glob("*.md")) == pages().keys()


def test_every_public_name_has_a_docstring():
    """Constants have theirs below them, where mkdocstrings finds it and Python does not."""
    bare = [
        f"{part}.{name}"
        for part in ("", *PARTS)
        for name in public_names(part)
        if not _documented(importlib.import_module(f"softmachine.{part}".rstrip(".")), name)
    ]
    assert bare == []


def _documented(module, name):
    value = getattr(module, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return bool(value.__doc__)
    home = getattr(module, "_HOMES", {}).get(name) or f"{module.__name__}.registry"
    text = inspect.getsource(importlib.import_module(home))
    return re.search(rf"^{name}\b[^\n]*=.*?^\"\"\"", text, re.MULTILINE | re.DOTALL) is not None


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)

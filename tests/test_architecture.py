"""Imports point one way, from higher floors to lower ones, and docs/architecture.md says so.

``python tests/test_architecture.py`` writes the tables of that page anew.
"""

import ast
import re
from pathlib import Path

import softmachine

ROOT = Path(softmachine.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
FLOORS = (
    ("core",),
    ("tasks", "machines"),
    ("running",),
    ("wiring",),
    ("programs",),
    ("traces",),
    ("experiments",),
    ("training",),
    ("evaluation", "synthesis"),
    ("viewer",),
    ("recipes",),
    ("zoo",),
    ("lessons",),
    ("cli",),
)
"""From the lowest up. Folders of one floor do not import each other."""
FLOOR = {folder: number for number, floor in enumerate(FLOORS) for folder in floor}
DOORS = {"softmachine", "softmachine.__main__"}
"""The package's face, which loads nothing by itself, and its entry."""
CONTRACTS = ("machine", "sequence_cell", "packed", "registry", "task", "one_shot.images")
"""What may be known of machines and tasks by who trains them: what all of a kind have to do."""

ROOMS = (
    r"softmachine\.(machines|recipes|wiring|programs|synthesis|lessons)(\..*)?"
    r"|softmachine\.(training|evaluation)\.nram\..*"
    r"|softmachine\.training\.(neural_gpu|npi_ram)\..*"
    r"|softmachine\.cli\.(commands|synthesis|machine_search)"
)
"""The modules that may name a machine; docs/architecture.md says why each does."""
MACHINES = r"softmachine\.machines\.(?!(machine|sequence_cell|packed|registry|parts\..*)$).+"
"""Modules that are of one machine."""
KINDS = r"softmachine\.core\.specs\.(?!spec$).+"
"""Modules that are of one kind of inputs or outputs."""
KNOW_KINDS = (
    r"softmachine\.(core|tasks|machines)(\..*)?"
    r"|softmachine\.(training|evaluation)\.nram\..*"
    r"|softmachine\.running\.scoring"
)
"""The modules that may name a kind; hard forms, which are scored, are of memories."""
LONGEST = 400
"""Lines of a module, of the package or the viewer's page: a longer one has two purposes."""
TRAINING = r"softmachine\.training\.(?!exam$)\w+"
"""The modules that train; the exam is of tasks that have one, each machine's own are deeper."""


def modules():
    """Return the package's modules with their files."""
    return {
        ".".join(["softmachine", *path.relative_to(ROOT).with_suffix("").parts])
        .removesuffix(".__init__"): path
        for path in sorted(ROOT.rglob("*.py"))
    }  # fmt: skip


def imports():
    """Return what each module imports of the package, wherever in it."""
    known = modules()
    found = {}
    for name, path in known.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & known.keys()
            elif isinstance(node, ast.ImportFrom) and node.module in known:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                inside = whole & known.keys()
                found[name] |= inside if inside == whole else inside | {node.module}
    return found


def folder(module):
    return module.split(".")[1]


def test_imports_point_down():
    wrong = [
        f"{name} -> {used}"
        for name, uses in imports().items()
        for used in sorted(uses)
        if name not in DOORS
        and used not in DOORS
        and folder(used) != folder(name)
        and FLOOR[folder(used)] >= FLOOR[folder(name)]
    ]
    assert wrong == []


def test_no_circle():
    left = {name: uses for name, uses in imports().items() if name not in DOORS}
    while ends := {name for name, uses in left.items() if not uses & left.keys()}:
        left = {name: uses for name, uses in left.items() if name not in ends}
    assert sorted(left) == []


def test_training_knows_phases_and_no_machine():
    """What trains, and what an experiment is; a machine's own phases have a folder each."""
    wrong = [
        f"{name} -> {used}"
        for name, uses in imports().items()
        if name.startswith("softmachine.experiments.") or re.fullmatch(TRAINING, name)
        for used in uses - {"softmachine"}
        if folder(used) in ("machines", "tasks", "wiring", "programs")
        and used.split(".", 2)[2] not in CONTRACTS
    ]
    assert wrong == []


WRITERS = {
    "core.native": {"source"},
    "core.compilation_cache": {"probe"},
    "experiments.metrics": {"open"},  # lines are added to a file
    "cli.failures": {"open"},  # a new file of its own
    "programs.running": {"source"},
    "zoo.publish": {"description", "text"},
    "zoo.sharing": {"(directory / 'README.md')"},
}
"""What is written otherwise: in directories that are removed, or under names of `replacing`."""


def test_files_are_written_whole_or_not_at_all():
    """Under a temporary name, `replacing` of core/files.py: a full disk leaves no half."""
    wrong = []
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            given = [ast.unparse(x) for x in [*node.args, *(x.value for x in node.keywords)]]
            target, _, method = called.rpartition(".")
            if method == "open":
                modes = [x for x in given if re.fullmatch(r"'[rbt+]*[wxa+][rbt+]*'", x)]
                writes = bool(modes) and given[0] != "temporary"
            else:
                writes = method in ("write_text", "write_bytes") and target != "temporary"
            known = WRITERS.get(name.removeprefix("softmachine."), set())
            if writes and (target or method) not in known:
                wrong.append(f"{name}: {called}({', '.join(given)[:40]})")
    assert wrong == []


def test_machines_are_named_in_their_rooms_alone():
    wrong = [
        f"{name} -> {used}"
        for name, uses in imports().items()
        if name not in DOORS and not re.fullmatch(ROOMS, name)
        for used in uses
        if re.fullmatch(MACHINES, used)
    ]
    assert wrong == []


def test_kinds_are_named_in_their_rooms_alone():
    wrong = [
        f"{name} -> {used}"
        for name, uses in imports().items()
        if name not in DOORS and not re.fullmatch(KNOW_KINDS, name)
        for used in uses
        if re.fullmatch(KINDS, used)
    ]
    assert wrong == []


def test_every_folder_has_a_floor():
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert folders == FLOOR.keys()


def test_no_module_is_long():
    """Nothing else counts lines: without this, some grow beyond."""
    page = {path.name: path for path in (PAGE.parents[1] / "viewer-ui" / "src").glob("*.ts")}
    lengths = {name: path.read_text().count("\n") for name, path in (modules() | page).items()}
    assert len(page) > 20
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def first_line(path):
    """Return what a module says it is, in lower case at its beginning as in a table."""
    text = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0].rstrip(".")
    plain = text[1:2].islower() or text.startswith("A ")
    return text[:1].lower() + text[1:] if plain else text


def test_names_keep_their_capital(tmp_path):
    for text, told in (
        ("A loop.", "a loop"),
        ("Loops.", "loops"),
        ("C code.", "C code"),
        ("NTMs.", "NTMs"),
    ):
        path = tmp_path / "module.py"
        path.write_text(f'"""{text}"""\n')
        assert first_line(path) == told


def floors():
    """Return the table of floors."""
    rows = ["| floor | folders |", "|---|---|"]
    for number, folders in reversed([*enumerate(FLOORS)]):
        said = [f"`{name}`: {first_line(ROOT / name / '__init__.py')}" for name in folders]
        rows.append(f"| {number} | {'; '.join(said)} |")
    return "\n".join(rows)


def files():
    """Return the table of modules."""
    rows = ["| file | what it holds |", "|---|---|"]
    for path in sorted(
        ROOT.rglob("*.py"),
        key=lambda path: (FLOOR.get(path.relative_to(ROOT).parts[0], 99), path),
    ):
        name = path.relative_to(ROOT).as_posix()
        if not name.endswith("__init__.py") and "/" in name:
            rows.append(f"| `{name}` | {first_line(path)} |")
    return "\n".join(rows)


TABLES = {"floors": floors, "files": files}


def with_tables(page):
    """Return the page with its tables as they are now."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, rest = page.split(begin)
        after = rest.split(end)[1]
        page = f"{before}{begin}{table()}{end}{after}"
    return page


def test_the_page_has_the_tables_of_today():
    """Otherwise: ``python tests/test_architecture.py``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

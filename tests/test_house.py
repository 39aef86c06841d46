"""The rules of the house, checked on its own source."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from jinhua_rs import catalog, errors, reference, reference_words, schema
from jinhua_rs.cli import app
from jinhua_rs.settings import Settings, Target, Theme

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "jinhua_rs").rglob("*.py"))
WORKFLOWS = sorted((ROOT / "workflows").glob("*.py"))
SOURCES = [*MODULES, *WORKFLOWS]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

MODULE_LINES = 400
FUNCTION_LINES = 50
WORKFLOW_LINES = 60
LARGEST = 2**20
NAMED = {"targets": Target, "themes": Theme}
"""Sections of the settings whose entries have names of their own."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(TREES[path]) if isinstance(node, Function))


def module_of(path: Path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return import_module(".".join(part for part in parts if part != "__init__"))


# --- size --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_and_functions_keep_their_budget(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    long = {node.name: length(node) for node in functions(path) if length(node) > FUNCTION_LINES}

    assert lines <= MODULE_LINES
    assert long == {}


def length(node: Function) -> int:
    """Lines of a function, without its docstring."""
    first = node.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno - first.lineno + 1) if said and ast.get_docstring(node) else 0
    return node.end_lineno - node.lineno + 1 - docstring


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_are_thin(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    allowed = sys.stdlib_module_names | {"jinhua_rs"}

    assert len(lines) <= WORKFLOW_LINES
    assert imported(TREES[path]) <= allowed


def imported(tree: ast.Module) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


# --- names and words ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_offers_in_order(path):
    module = module_of(path)
    if path.name == "__init__.py" and not hasattr(module, "__all__"):
        assert not public(path), "a package that offers something says so in __all__"
        return

    assert module.__all__ == sorted(module.__all__, key=isort_key)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def isort_key(name: str) -> tuple[int, str]:
    """SCREAMING names first, then Classes, then functions, as ruff sorts them."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def public(path: Path) -> list[ast.ClassDef | Function]:
    kinds = ast.ClassDef | Function
    return [
        node
        for node in TREES[path].body
        if isinstance(node, kinds) and not node.name.startswith("_")
    ]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_everything_public_is_explained(path):
    named = [(path.stem, TREES[path]), *((node.name, node) for node in public(path))]
    for node in public(path):
        if isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, Function))
            named += [(f"{node.name}.{m.name}", m) for m in methods if not m.name.startswith("_")]

    silent = [name for name, node in named if not ast.get_docstring(node)]

    assert silent == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_prints(path):
    calls = (node for node in ast.walk(TREES[path]) if isinstance(node, ast.Call))

    assert not [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


# --- errors ------------------------------------------------------------------------------------

CHINESE = re.compile(r"[\u4e00-\u9fff]")
CARRIED = {"jinhua_rs/points.py", "jinhua_rs/catalog/items.py", "jinhua_rs/errors.py"}
"""Modules that pass on, in one place each, a Chinese text made elsewhere."""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_error_speaks_chinese(path):
    made = [
        node
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in errors.__all__
    ]

    mute = [node.lineno for node in made if not CHINESE.search(chinese_of(node))]

    assert len(mute) <= (1 if name_of(path) in CARRIED else 0), mute


def chinese_of(call: ast.Call) -> str:
    """All literal text inside ``zh=``."""
    given = (keyword.value for keyword in call.keywords if keyword.arg == "zh")
    return "".join(
        node.value
        for value in given
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


# --- rasters -----------------------------------------------------------------------------------

RASTER_WRITERS = ("jinhua_rs/store/", "jinhua_rs/twin/", "jinhua_rs/sites/")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_store_and_the_test_worlds_write_rasters(path):
    calls = [node for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)]

    writing = [call.lineno for call in calls if writes_raster(call)]

    assert writing == [] or name_of(path).startswith(RASTER_WRITERS)


def writes_raster(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    if called.endswith((".to_zarr", ".to_raster", ".to_netcdf", "rasterio.shutil.copy")):
        return True
    mode = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
    return called == "rasterio.open" and any(
        isinstance(value, ast.Constant) and value.value != "r" for value in mode
    )


def test_the_check_on_writing_rasters_sees_it():
    written = ast.parse("with rasterio.open(path, 'w', **profile) as target: pass")
    read = ast.parse("with rasterio.open(path, driver='GTiff') as source: pass")

    assert [writes_raster(n) for n in ast.walk(written) if isinstance(n, ast.Call)] == [True]
    assert [writes_raster(n) for n in ast.walk(read) if isinstance(n, ast.Call)] == [False]


# --- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "generated"),
    [
        ("docs/configuration.md", reference.configuration),
        ("docs/data-dictionary.md", reference.data_dictionary),
    ],
)
def test_generated_pages_are_up_to_date(page, generated):
    assert (ROOT / page).read_text(encoding="utf-8") == generated(), (
        "run python workflows/write_reference.py"
    )


def test_every_setting_is_on_the_page():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    for section, field in Settings.model_fields.items():
        _, _, part = page.partition(f"## `[{section}")
        part = part.partition("\n## ")[0]
        keys = field.default if section in NAMED else type(field.default).model_fields
        assert part, section
        assert [key for key in keys if f"| `{key}` |" not in part] == []


def test_every_key_and_column_has_its_words_and_no_others():
    sections = {name: field.default for name, field in Settings.model_fields.items()}
    kinds = {n: NAMED.get(n, type(d)) for n, d in sections.items()}
    keys = {f"{name}.{key}" for name, kind in kinds.items() for key in kind.model_fields}

    assert set(reference_words.KEYS) == keys
    assert set(reference_words.SECTIONS) == set(kinds)
    assert tuple(reference_words.COLUMNS) == schema.ROW_COLUMNS


def test_every_name_of_the_schema_is_in_the_dictionary():
    page = (ROOT / "docs/data-dictionary.md").read_text(encoding="utf-8")
    names = [*schema.VARIABLES, *schema.INDICATORS, *schema.ROW_COLUMNS, *catalog.REASONS]

    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    heading = re.search(r"^#+ .*\bCommands\b.*$", readme, re.MULTILINE)

    assert heading, "README.md needs a section named Commands"
    missing = [f"jinhua-rs {name}" for name in commands(typer.main.get_command(app))]
    assert [call for call in missing if call not in readme[heading.end() :]] == []


def commands(command, name=()) -> Iterator[str]:
    """Full name of each command of the command line."""
    if not isinstance(command, TyperGroup):
        yield " ".join(name)
        return
    for child, below in command.commands.items():
        yield from commands(below, (*name, child))


def test_every_room_has_its_place_in_the_architecture():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = {
        path.stem if path.suffix else path.name for path in (ROOT / "jinhua_rs").glob("[a-z]*")
    }

    assert {room for room in rooms - {"py"} if f"`{room}`" not in page} == set()


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / name for name in tracked() if name.endswith(".md")]
    dead = [
        f"{name_of(page)} -> {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert dead == []


def test_every_test_that_the_page_of_faults_names_is_there():
    page = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[-1] for line in page.splitlines() if re.match(r"\| \d", line)]
    named = [
        (module, test)
        for row in rows
        for module, tests in re.findall(r"`(test_\w+)`: ((?:`\w+`(?:, )?)+)", row)
        for test in re.findall(r"`(\w+)`", tests)
    ]
    lost = [
        f"{module}: {test}"
        for module, test in named
        if f"def test_{test}(" not in (ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8")
    ]

    assert len(rows) >= 33 and len(named) > 60
    assert lost == []


# --- providers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "stac/profiles").glob("*.toml")), ids=name_of)
def test_every_profile_loads(path):
    assert catalog.load_profile(str(path)).name == path.stem
    assert path.stem in catalog.profile_names()


@pytest.mark.parametrize("path", sorted((ROOT / "stac/atlases").glob("*.toml")), ids=name_of)
def test_every_atlas_loads(path):
    assert catalog.load_atlas(str(path)).name == path.stem
    assert path.stem in catalog.atlas_names()


# --- packages ----------------------------------------------------------------------------------


def plain(requirement: str) -> str:
    """Name of a requirement, as indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9_.-]+", requirement)[0]).lower()


UNPINNED = {"omnicloudmask"}
"""Brings a deep-learning stack of gigabytes, and nothing that is run here by default needs it."""


def dependencies() -> set[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    every = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    return {plain(one) for one in every} - {"jinhua-rs"} - UNPINNED


def test_every_dependency_is_named_once():
    for listed in (
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
    ):
        names = [plain(one) for one in listed]
        assert len(names) == len(set(names))


def test_the_environment_file_holds_every_dependency():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    listed = {
        plain(line) for line in re.findall(r"^ +- ([A-Za-z0-9_.-]+)[^:\n]*$", text, re.MULTILINE)
    }

    renamed = {"zarr-python": "zarr", "matplotlib-base": "matplotlib", "python-skops": "skops"}
    assert dependencies() - {renamed.get(name, name) for name in listed} == set()


def test_pins_are_plain_and_cover_every_dependency():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("#")[0].strip() for line in lines]
    pins = [pin for pin in pins if pin]

    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[\w.+!]+", pin)] == []
    assert len({plain(pin) for pin in pins}) == len(pins)
    assert dependencies() - {plain(pin) for pin in pins} == set()


def test_everything_that_is_imported_is_a_dependency():
    known = {plain(one) for one in PROJECT["project"]["dependencies"]} | {
        plain(one)
        for extra in ("demo", "sites")
        for one in PROJECT["project"]["optional-dependencies"][extra]
    }
    other_name = {"PIL": "pillow", "click": "typer", "odc": "odc-geo", "sklearn": "scikit-learn"}
    used = {name for path in SOURCES for name in imported(TREES[path])}
    used -= sys.stdlib_module_names | {"jinhua_rs"}

    assert {name for name in used if plain(other_name.get(name, name)) not in known} == set()


# --- what is kept ------------------------------------------------------------------------------

FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(wor[k]|roo[t]|hom[e])/",
            r"/tm[p]/(env|bash_jobs)",
            r"pyp[i]\.org",
            r"pythonhoste[d]",
            r"anacond[a]\.org",
            r"npmj[s]\.",
        ]
    )
)
"""Paths of one machine and hosts of package indexes have no place in the project."""


def tracked() -> list[str]:
    """Files that are, or are about to be, under version control."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no version control here: {error}")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_speaks_of_one_machine():
    found = {}
    for name in tracked():
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        if FOREIGN.search(text):
            found[name] = FOREIGN.search(text)[0]

    assert found == {}


@pytest.mark.parametrize("text", ["cd /wor{}/main", "/roo{}/.venv", "https://pyp{}.org/simple"])
def test_a_machine_that_is_spoken_of_is_found(text):
    letter = {"wor": "k", "roo": "t", "pyp": "i"}[re.search(r"(\w+)\{", text)[1]]

    assert FOREIGN.search(text.format(letter))
    assert not FOREIGN.search("see workflows/work/readme.md and tmp/environment")


def test_no_large_file_is_kept():
    sizes = {name: (ROOT / name).stat().st_size for name in tracked()}

    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}

"""What the tree promises: floors without circles, light imports, no Streamlit below the pages."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "core").rglob("*.py"))
HEAVY = {
    "boto3",
    "fastapi",
    "gensim",
    "implicit",
    "jax",
    "lightfm",
    "lightgbm",
    "matplotlib",
    "metaflow",
    "numba",
    "optax",
    "powerlaw",
    "prometheus_client",
    "requests",
    "similaripy",
    "sklearn",
    "spotipy",
    "tantivy",
    "umap",
}
SPOTIFY = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "core" / "spotify").rglob("*.py")
    if path.stem not in {"__init__", "http"}
)
FLOORS = [
    {"errors", "workspace", "progress", "measure", "jobs"},
    {"dataset"},
    {"spotify"},
    {"retrieval"},
    {"ranking", "ordering", "whatif"},
    {"recommender"},
    {"reasons", "moods", "trained"},
    {"query"},
    {"explore", "evaluation"},
    {"serving"},
    {"training"},
    {"bench"},
    {"commands"},
    {"__main__"},
]


def imports(path):
    return imported(ast.parse(path.read_text()))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(room):
    return next(level for level, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_never_imports_the_pages(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"streamlit", "pages"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_its_floor_and_below(path):
    room = path.relative_to(ROOT / "core").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("core.")}
    assert {name for name in used if floor(name) > floor(room)} == set()


def test_opening_and_importing_load_nothing_heavy():
    code = (
        "import sys, core.recommender, core.retrieval, core.training.train, core.training.maps, "
        "core.training.evaluate, core.bench.peers, core.bench.quality, core.__main__, "
        "core.training.grid, pages.common.session, pages.common.widgets, "
        "core.dataset.library, core.dataset.search, core.evaluation.leaderboard, "
        "core.explore.figures, core.explore.power_law, core.explore.projection, "
        "core.explore.journey, core.explore.clusters, core.explore.goodness, core.explore.spread, "
        "core.moods, core.jobs, core.training.trial, core.bench.app, "
        "pages.spotify.account, pages.spotify.link_in, "
        "core.serving.beside, core.serving.opened, core.serving.local, core.serving.endpoint, "
        f"{', '.join(SPOTIFY)}\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_step_of_the_flow_loads_nothing_that_it_does_not_need():
    """Metaflow starts a process for each, so what all of them load is paid for each time."""
    body = ast.parse((ROOT / "core" / "training" / "flow.py").read_text()).body
    loaded = [node.module for node in body if isinstance(node, ast.ImportFrom)]
    ours = [name for name in loaded if name.startswith("core.")]
    unneeded = {"core.dataset.build", "core.serving.endpoint", "scipy.linalg", "scipy.special"}
    code = f"import sys, {', '.join(ours)}\nprint(sorted({unneeded!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_command_line_loads_no_more_of_core_before_its_command_runs():
    code = (
        "import sys, core.__main__\n"
        "print({name.split('.')[1] for name in sys.modules if name.startswith('core.')})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = ast.literal_eval(done.stdout)
    assert loaded == {"__main__", "commands", "errors", "progress", "workspace"}


class RunTime(ast.NodeTransformer):
    """Leaves out what is imported for type checkers alone."""

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def test_spotipy_is_loaded_only_where_its_logs_are_silenced():
    texts = {
        path: path.read_text() for path in [*CORE, *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]
    }
    loading = {
        str(path.relative_to(ROOT))
        for path, text in texts.items()
        if "spotipy" in text
        for name in imported(RunTime().visit(ast.parse(text)))
        if name.split(".")[0] == "spotipy"
    }
    assert loading == {"core/spotify/http.py"}

"""The hosted demo, as docs/hosting.md describes it, against the repository and a running server."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from core.bench.app import _ask, _nodes, _resident_mb, _serving
from core.workspace import DEMO

ROOT = Path(__file__).resolve().parents[1]
PROMISED_MB = 690
"""Of memory, by the host."""


@pytest.fixture(scope="module")
def described() -> str:
    return (ROOT / "docs" / "hosting.md").read_text("utf-8")


def setting(described: str, name: str) -> str:
    return re.search(rf"^\| {name} \| `?([^`|]+?)`? \|$", described, re.M)[1]


def test_what_is_to_be_set_is_in_the_repository(described):
    assert (ROOT / setting(described, "Main file path")).read_text("utf-8").count("st.App(") == 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert int(low) <= int(setting(described, "Python version").split(".")[1]) < int(high)
    assert (DEMO / "models").is_dir()


def test_system_packages_are_those_that_the_ranker_needs(described):
    library = Path(find_spec("lightgbm").origin).parent / "lib" / "lib_lightgbm.so"
    needed = set(re.findall(rb"libgomp\.so\.1", library.read_bytes()))
    assert needed == {b"libgomp.so.1"}
    packages = (ROOT / "packages.txt").read_text("utf-8").split()
    assert packages == ["libgomp1"]
    assert "`packages.txt`: `libgomp1`" in described


def test_every_requirement_that_the_host_reads_is_there():
    files = ["requirements.txt"]
    for file in files:
        lines = (ROOT / file).read_text("utf-8").splitlines()
        files += [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    assert files == ["requirements.txt", "requirements-serve.txt"]


def test_the_demo_opens_in_public_within_the_memory_that_is_promised(
    described, tmp_path, monkeypatch
):
    (secrets,) = re.findall(r"```toml\n(.*?)```", described, re.S)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets, "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))  # where Streamlit looks for secrets
    monkeypatch.delenv("SEGUE_PUBLIC", raising=False)
    with _serving(ROOT / "app.py", tmp_path / "workspace") as (process, address):
        first = _ask(address, query_params={"title": ["summer"]})
        assert "demo" in str(first["tree"])
        assert "nothing is trained, imported or deleted here" in str(first["tree"])
        for page in first["pages"][1:]:
            shown = _ask(address, session_id=first["session_id"], page=page["url_path"])
            labels = {node.get("props", {}).get("label") for node in _nodes(shown["tree"])}
            assert not labels & {"Train", "Fetch", "Import", "Join", "Delete", "Start"}
        assert _resident_mb(process) < PROMISED_MB

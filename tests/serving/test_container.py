"""What the Dockerfile says, and the server run as it says: there need be no Docker here."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import requests

from core.commands.serving import serve
from core.query import Query, answer
from core.serving.opened import opened

ROOT = Path(__file__).resolve().parents[2]
BLOCKER = """
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not in the container", name=name)


sys.meta_path.insert(0, Blocker())
"""


Instructions = list[tuple[str, str]]


@pytest.fixture(scope="module")
def stages() -> dict[str, Instructions]:
    """Instructions of each stage in order, with continued lines joined; the last is unnamed."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, Instructions] = {}
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        instruction, value = line.split(" ", 1)
        if instruction == "FROM":
            image, _, stage = value.partition(" AS ")
            found[stage] = list(found.get(image, [(instruction, value.split()[0])]))
        else:
            found[stage].append((instruction, value))
    return found


@pytest.fixture(scope="module")
def dockerfile(stages) -> Instructions:
    """Of the image that is built where no stage is named."""
    assert list(stages)[-1] == ""
    return stages[""]


def said(dockerfile, instruction: str) -> str:
    """The one value of an instruction."""
    (value,) = (value for name, value in dockerfile if name == instruction)
    return value


def test_it_keeps_the_contract_of_sagemaker(dockerfile):
    assert json.loads(said(dockerfile, "ENTRYPOINT")) == ["python", "-m", "core"]
    assert json.loads(said(dockerfile, "CMD")) == ["serve"]
    assert said(dockerfile, "EXPOSE") == "8080"
    assert serve.__defaults__[-1] == 8080
    environment = said(dockerfile, "ENV").split()
    assert {"SEGUE_WORKSPACE=/opt/ml/model", "SEGUE_HOST=0.0.0.0"} <= set(environment)


@pytest.mark.parametrize("stage", ["", "train"])
def test_it_is_no_root(stages, stage):
    names = [name for name, _ in stages[stage]]
    user = said(stages[stage], "USER")
    assert user == "segue"
    assert f"--uid 10001 --no-create-home --shell /usr/sbin/nologin {user}" in stages[stage][1][1]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("RUN", "COPY"))


def test_it_looks_after_its_health(dockerfile):
    assert "http://127.0.0.1:8080/ping" in said(dockerfile, "HEALTHCHECK")
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", said(dockerfile, "FROM"))


def test_its_health_is_asked_past_proxies(dockerfile, address):
    python, *command, code = json.loads(said(dockerfile, "HEALTHCHECK").partition(" CMD ")[2])
    assert python == "python"

    def is_healthy(at: str) -> bool:
        asked = [sys.executable, *command, code.replace("http://127.0.0.1:8080", at)]
        behind = os.environ | {"http_proxy": "http://127.0.0.1:1"}
        return subprocess.run(asked, env=behind, capture_output=True).returncode == 0

    assert is_healthy(address)
    assert not is_healthy("http://127.0.0.1:1")


def test_system_packages_are_those_of_the_hosted_app(dockerfile):
    (installed,) = re.findall(r"--no-install-recommends ([\w -]+?) +&&", dockerfile[1][1])
    assert installed.split() == (ROOT / "packages.txt").read_text("utf-8").split()


def test_the_flows_image_has_its_packages_and_lets_metaflow_work(stages):
    train = stages["train"]
    ran = " ".join(value for name, value in train if name == "RUN")
    *_, folder = (value for name, value in train if name == "WORKDIR")
    assert "-r requirements-train.txt" in ran
    assert f"--owner segue {folder}" in ran
    assert "METAFLOW_SKIP_INSTALL_DEPENDENCIES=1" in said(train, "ENV")
    assert not {"ENTRYPOINT", "CMD"} & {name for name, _ in train}


def test_what_is_copied_is_sent_and_nothing_else(stages):
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        source
        for stage in stages.values()
        for name, value in stage
        if name == "COPY"
        for source in value.split()[:-1]
    }
    assert copied == sent
    assert "*" in ignore
    assert all((ROOT / name).exists() for name in copied)


def test_requirements_of_the_container_are_part_of_the_apps():
    assert "-r requirements-serve.txt" in (ROOT / "requirements.txt").read_text("utf-8")


def distributions_of_the_container() -> set[str]:
    """What requirements-serve.txt brings, with all that it needs in turn."""
    lines = (ROOT / "requirements-serve.txt").read_text("utf-8").splitlines()
    waiting = [re.match(r"[\w-]+", line)[0] for line in lines if not line.startswith("#")]
    found: set[str] = set()
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            needs = (metadata.requires(name) if is_installed(name) else None) or []
            waiting += [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
    return found


def is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def not_in_the_container() -> set[str]:
    """Packages that are installed here and not there."""
    there = distributions_of_the_container()
    return {
        package
        for package, names in metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & there
        and package.isidentifier()
    }


@pytest.fixture
def image(dockerfile, served, tmp_path) -> Path:
    """What the container holds: the copied files, the models read-only, no package besides."""
    folder = tmp_path / "opt" / "segue"
    folder.mkdir(parents=True)
    for source in (value.split()[0] for name, value in dockerfile if name == "COPY"):
        if (ROOT / source).is_dir():
            kept = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, folder / source, ignore=kept)
        else:
            shutil.copy(ROOT / source, folder)
    blocker = BLOCKER.format(blocked=sorted(not_in_the_container()))
    (tmp_path / "sitecustomize.py").write_text(blocker, "utf-8")
    shutil.copytree(served.folder, tmp_path / "model")
    for path in [tmp_path / "model", *(tmp_path / "model").rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield tmp_path
    for path in [tmp_path / "model", *(tmp_path / "model").rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_it_answers_with_what_the_container_holds(dockerfile, image, served):
    environment = dict(pair.split("=", 1) for pair in said(dockerfile, "ENV").split())
    environment |= {
        "SEGUE_WORKSPACE": str(image / "model"),
        "PYTHONPATH": str(image),
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
    }
    _, *entry = json.loads(said(dockerfile, "ENTRYPOINT")) + json.loads(said(dockerfile, "CMD"))
    with subprocess.Popen(
        [sys.executable, *entry, "--port", "0"],
        cwd=image / "opt" / "segue",
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            ready = server.stdout.readline()
            port = re.match(r"Segue answers on http://0\.0\.0\.0:(\d+);", ready)[1]
            address = f"http://127.0.0.1:{port}"
            assert requests.get(f"{address}/ping", timeout=30).status_code == 200
            asked = {"title": "style three", "k": 5}
            body = {"instances": [asked | {"reasons": True}]}
            found = requests.post(f"{address}/invocations", json=body, timeout=30).json()
            assert requests.get(f"{address}/api/search?q=2-07", timeout=30).json()["results"]
        finally:
            server.terminate()
        assert server.wait(30) in (143, -15)
    here = opened(served, "planted")
    expected = answer(here.recommender, Query(**asked)).columns()["uri"]
    assert [track["uri"] for track in found["predictions"][0]["tracks"]] == expected

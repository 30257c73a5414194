"""What every test may ask for: small datasets, real data where it is there, no silent skips."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources.base import batch_from_rows
from core.evaluation.challenge import Split, split
from core.ranking.ranker import RANKER, Ranker, Standing
from core.retrieval import MODELS
from core.retrieval.base import RetrievalModel
from core.spotify.app_token import forget_app_tokens
from core.spotify.client import Settings
from core.spotify.health import reset_health
from core.training import crossfit as crossfit_module
from core.training.crossfit import CrossFit, crossfit
from core.training.ranking import fit_ranker
from core.training.workers import ONE_THREAD
from tests.spotify.fake import Fake, fake_spotify

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
LONGEST = ("browser", "training", "serving", "bench")
"""Folders of the files that take longest."""

QUICK = {
    "als": {"factors": 8, "iterations": 1},
    "lightgcn": {"vector_size": 8, "steps": 2},
    "titles": {"factors": 8},
    "track2vec": {"vector_size": 8, "epochs": 1},
    "two_tower": {"dimensions": 8, "epochs": 1},
    RANKER: {"playlists": 30, "rounds": 5},
}
"""Settings that fit every model in a second."""

os.environ.update(ONE_THREAD)  # for the processes of pytest, which share the cores


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real playlists, which the repository does not hold."""
    if not SHARED.is_dir():
        pytest.skip(f"real playlists are not at {SHARED}")
    return SHARED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("SEGUE_NO_SKIP") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A copy of the folder that `make` fills, which is made once for all of pytest's processes."""
    own = factory.getbasetemp()
    together = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, partial = together / f"made-{name}", together / f"making-{name}"
    with (together / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return shutil.copytree(folder, factory.mktemp(name) / name)


MakeDataset = Callable[..., Dataset]


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> MakeDataset:
    """A function that builds a dataset of playlists given as lists of track names.

    Track "a" by default is uri "t:a", title "a", artist "artist a"; `tracks` maps a name to other
    fields.
    """

    def make(
        playlists: Sequence[Sequence[str]],
        titles: Sequence[str | None] | None = None,
        tracks: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "tiny",
    ) -> Dataset:
        def entry(row: int, position: int, track: str) -> dict[str, Any]:
            default = {"uri": f"t:{track}", "title": track, "artist": f"artist {track}"}
            fields = default | dict((tracks or {}).get(track, {}))
            return {"playlist": row, "position": position} | fields

        batch = batch_from_rows(
            [{"title": title} for title in titles or [None] * len(playlists)],
            [
                entry(row, position, track)
                for row, playlist in enumerate(playlists)
                for position, track in enumerate(playlist)
            ],
        )
        folder = tmp_path_factory.mktemp("datasets") / name
        build([batch], folder, Provenance(name, "test"))
        return Dataset(folder)

    return make


STYLES, TRACKS_A_STYLE, PLAYLISTS_A_STYLE = 4, 30, 60


@pytest.fixture(scope="session")
def planted(make_dataset: MakeDataset) -> Dataset:
    """Playlists of one style each: the right continuation of a seed is its own style.

    Track "2-07" is of style 2, by one of its six artists and with audio features near the
    style's, where it has any; so is every playlist titled "style two".
    """
    random = np.random.default_rng(0)
    words = ("zero", "one", "two", "three")
    playlists = [
        [f"{style}-{track:02}" for track in random.choice(TRACKS_A_STYLE, 12, replace=False)]
        for style in range(STYLES)
        for _ in range(PLAYLISTS_A_STYLE)
    ]
    titles = [f"style {words[s]}" for s in range(STYLES) for _ in range(PLAYLISTS_A_STYLE)]
    return make_dataset(playlists, titles, _styled_tracks(random), name="planted")


def _styled_tracks(random: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Artist and audio features of the planted tracks; every fifth track has no features."""
    centres = random.uniform(0.2, 0.8, (STYLES, 4))
    fields: dict[str, dict[str, Any]] = {}
    for style in range(STYLES):
        for track in range(TRACKS_A_STYLE):
            known = {"artist": f"artist {style}-{track % 6}"}
            if track % 5:
                values = random.normal(centres[style], 0.02).clip(0, 1)
                names = ("danceability", "energy", "acousticness", "valence")
                known |= dict(zip(names, values.tolist(), strict=True))
            fields[f"{style}-{track:02}"] = known
    return fields


def style_of(dataset: Dataset, ids: np.ndarray) -> list[int]:
    """The planted style of each track."""
    return [int(title.split("-")[0]) for title in dataset.values("title", ids)]


SOURCES: Mapping[str, Mapping[str, Any]] = {"popularity": {}, "playlist_knn": {}, "item_knn": {}}
SMALL = Ranker.Params(
    pool=60, folds=2, playlists=100, masks=2, negatives=60, leaves=7, rounds=20, least=10
)
"""Settings of a ranker that takes two seconds on the planted playlists."""


@contextmanager
def in_this_process() -> Iterator[list[dict[str, Any]]]:
    """Do the tasks of cross-fitting here, where no process has to start, and yield those done."""
    done = []

    def answers(_, tasks, jobs):
        for task in tasks:
            yield task, crossfit_module._work(task)
            done.append(task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossfit_module, "answers", answers)
        yield done


@dataclass(frozen=True)
class Trained:
    """A ranker of planted playlists, and what it was made of."""

    parts: Split
    models: Mapping[str, RetrievalModel]
    made: CrossFit
    ranker: Ranker


@pytest.fixture(scope="session")
def trained(planted: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The ranker of `SOURCES`, trained without forty held-out playlists."""
    parts = split(planted, 40, seed=0)
    models = {name: MODELS[name]().fit(parts.train) for name in SOURCES}
    with in_this_process():
        made = crossfit(parts.train, SOURCES, SMALL, tmp_path_factory.mktemp("work") / "crossfit")
    return Trained(parts, models, made, fit_ranker(made, SMALL))


def standing(low: float) -> Standing:
    """Of a ranker that is 0.1 better, with an interval from `low`."""
    return Standing(50, "playlist_knn", (0.1, low, 0.2), (0.1, low, 0.2))


def proven_on(ranker: Ranker, labels: Sequence[str]) -> Ranker:
    """The same ranker, proven on these routes and on no other."""
    stands = {label: standing(0.05) for label in labels}
    return Ranker(
        ranker.params,
        ranker.sources,
        ranker.features,
        ranker.quotas,
        ranker.mix,
        ranker.boosters,
        stands,
    )


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A development-mode app's Spotify of today, empty."""
    with fake_spotify() as fake:
        yield fake


@pytest.fixture
def settings(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings from an environment that leads to it."""
    return led_to(fake, monkeypatch)


def led_to(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings from an environment that leads to the fake.

    What this process knows of servers and apps is of another test's, maybe at the same port: it is
    forgotten.
    """
    monkeypatch.delenv("SPOTIFY_REDIRECT_URI", raising=False)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    reset_health()
    forget_app_tokens()
    return Settings.from_environment()

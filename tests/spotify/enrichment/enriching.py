"""What the tests of enrichment share: tracks of the fake, a dataset of them, and a look at both."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from core.dataset.dataset import Dataset
from core.spotify.client import Patience, Settings
from core.spotify.enrichment.enrich import Enrichment, enrich
from core.workspace import Workspace
from tests.conftest import MakeDataset
from tests.spotify.conftest import QUICK
from tests.spotify.fake import Fake, fake_spotify

TRACKS, ARTISTS = 45, 4
ALBUMS = ("Alba", "Bravo", "Cinder", "Delta", "Ember")
GONE = "z" * 22
RECCOBEATS = "/reccobeats/"


def fill(fake: Fake) -> list[str]:
    """Ids of tracks by four artists, on five albums; every third has no audio features."""
    for number in range(ARTISTS):
        fake.add_artist(f"Artist {number}", genres=["pop", f"style {number}"], followers=number)
    return [
        fake.add_track(
            f"Track {number}",
            f"Artist {number % ARTISTS}",
            album=ALBUMS[number % 5],
            duration_ms=100_000 + number,
            year=1960 + number % 50,
            explicit=number % 2 == 0,
            popularity=number,
            features={"energy": number / 100, "key": -1} if number % 3 else None,
        )
        for number in range(TRACKS)
    ]


def dataset_of(make_dataset: MakeDataset) -> Dataset:
    """Those tracks, the first the most popular; one that Spotify knows no more, one without an id.

    The dataset knows no ids of artists, and writes their names in its own way.
    """
    with fake_spotify() as fake:
        ids = fill(fake)
    names = [f"{number:02}" for number in range(TRACKS)] + ["gone", "nameless"]
    tracks = {
        name: {"uri": f"spotify:track:{each}", "artist": f"ARTIST {int(name) % ARTISTS}"}
        for name, each in zip(names, ids, strict=False)
    }
    tracks |= {"gone": {"uri": f"spotify:track:{GONE}"}, "nameless": {"uri": "segue:track:1"}}
    playlists = [names[: length + 1] for length in range(len(names))]
    return make_dataset(playlists, tracks=tracks)


def copied(dataset: Dataset, folder: Path, *, searchable: bool = False) -> Workspace:
    """A workspace with a copy of the dataset, "tiny"."""
    left_out = None if searchable else shutil.ignore_patterns("search")
    shutil.copytree(dataset.folder, folder / "tiny", ignore=left_out)
    return Workspace(folder)


def run(
    workspace: Workspace, source: str = "reccobeats", patience: Patience = QUICK, **options: Any
) -> Enrichment:
    settings = Settings.from_environment()
    return enrich(workspace, "tiny", source, settings, patience=patience, **options)


def column(workspace: Workspace, name: str) -> list[Any]:
    return Dataset(workspace.folder / "tiny").column(name).to_pylist()


def known(workspace: Workspace, name: str) -> int:
    """Tracks of which this is known."""
    return sum(value is not None for value in column(workspace, name))


def tables(workspace: Workspace) -> list[list[dict[str, Any]]]:
    """All that the dataset says of tracks and artists."""
    folder = workspace.folder / "tiny"
    return [pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("tracks", "artists")]


def paths(fake: Fake) -> Counter[str]:
    """How often which path was asked, ids left out."""
    asked = [request.path for request in fake.requests if request.path != "/api/token"]
    return Counter(path.rpartition("/")[0] if len(path) > 30 else path for path in asked)


def answered(fake: Fake) -> Counter[str]:
    """Every id that was answered, as often as it was."""
    ids: Counter[str] = Counter()
    for request in fake.requests:
        if request.path != "/api/token" and request.answered and request.status in (200, 404):
            asked = request.query.get("ids") or request.path.rpartition("/")[2]
            ids.update(f"{request.path.split('/')[-2]}:{each}" for each in asked.split(","))
    return ids

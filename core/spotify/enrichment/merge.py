"""What a notebook knows of a dataset's tracks and artists, and how that gets into the dataset."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.dataset.artists import join_artists
from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.dataset.joins import Origin
from core.dataset.links import ID, is_id
from core.dataset.schema import AUDIO_FEATURES
from core.dataset.text import normalise
from core.progress import Progress
from core.spotify.enrichment.notebook import Notebook
from core.spotify.enrichment.questions import Question, Questions

_TRACK, _ARTIST = "spotify:track:", "spotify:artist:"
_ROWS = 20_000
_SOUNDS = pa.schema([("uri", pa.string()), *((name, pa.float64()) for name in AUDIO_FEATURES)])
_FACTS = pa.schema(
    [
        *_SOUNDS,
        ("album", pa.string()),
        ("duration_ms", pa.int64()),
        ("year", pa.int32()),
        ("popularity", pa.float64()),
        ("explicit", pa.bool_()),
    ]
)
_ARTISTS = pa.schema(
    [
        ("uri", pa.string()),
        ("genres", pa.string()),
        ("followers", pa.int64()),
        ("popularity", pa.float64()),
    ]
)


def identified(dataset: Dataset) -> np.ndarray:
    """Tracks with a Spotify id, int64, the most popular first."""
    has_id = pc.match_substring_regex(dataset.column("uri"), f"^{_TRACK}{ID}$")
    return np.flatnonzero(has_id.to_numpy(zero_copy_only=False))


def track_ids(dataset: Dataset, rows: np.ndarray) -> list[str]:
    """Spotify's ids of tracks that have one."""
    return [uri.removeprefix(_TRACK) for uri in dataset.values("uri", rows)]


def unanswered(
    dataset: Dataset, rows: np.ndarray, notebook: Notebook, question: Question
) -> np.ndarray:
    """Which of these tracks were never asked about, bool, like `rows`."""
    left = [np.zeros(0, bool)]
    for part in _parts(rows):
        ids = track_ids(dataset, part)
        new = set(notebook.unanswered(question.name, ids))
        left.append(np.array([each in new for each in ids], bool))
    return np.concatenate(left)


def artist_ids(
    dataset: Dataset, rows: np.ndarray, notebook: Notebook, tracks: Question
) -> dict[int, str]:
    """Spotify's ids of the artists of these tracks, by artist, in the order of the tracks.

    Many sources name artists without an id. Theirs is that of the artist whom Spotify names first
    for one of their tracks, where the names are the same; failing that it is the dataset's own.
    """
    said: dict[int, str] = {}
    for part in _parts(rows):
        ids = track_ids(dataset, part)
        known = dict(notebook.answers(tracks.name, ids))
        answers = [known.get(each, {}) for each in ids]
        ours = normalise(dataset.values("artist_name", part))
        theirs = normalise([answer.get("artist") for answer in answers])
        for artist, answer, one, other in zip(
            dataset.artist[part], answers, ours, theirs, strict=True
        ):
            if one == other and "artist_uri" in answer:
                said.setdefault(int(artist), answer["artist_uri"].removeprefix(_ARTIST))
    uris = dataset.artists["uri"]
    found = {}
    for artist in dict.fromkeys(dataset.artist[rows].tolist()):
        each = said.get(artist) or uris[artist].as_py().removeprefix(_ARTIST)
        if is_id(each):
            found[artist] = each
    return found


def join_answers(
    dataset: Dataset,
    rows: np.ndarray,
    notebook: Notebook,
    questions: Questions,
    origin: Origin,
    progress: Progress,
) -> None:
    """Fill a dataset's gaps with what is known of its tracks, those with an id, and of artists."""
    progress.update("Reading the answers")
    tracks, artists = questions.tracks, questions.artists
    with TemporaryDirectory(prefix="segue-") as folder:
        path = Path(folder) / "answers.parquet"
        about = [each for each in (tracks, questions.audio_features) if each]
        told = _track_rows(dataset, rows, notebook, about)
        if _write(path, told, _FACTS if tracks else _SOUNDS):
            join_features(dataset, path, progress, origin)
        if tracks and artists:
            ids = artist_ids(dataset, rows, notebook, tracks)
            if _write(path, _artist_rows(dataset, ids, notebook, artists), _ARTISTS):
                join_artists(dataset, path, origin, progress)


def _track_rows(
    dataset: Dataset, rows: np.ndarray, notebook: Notebook, questions: Iterable[Question]
) -> Iterator[Mapping[str, Any]]:
    for part in _parts(rows):
        known: dict[str, dict[str, Any]] = {}
        for question in questions:
            for each, answer in notebook.answers(question.name, track_ids(dataset, part)):
                known.setdefault(each, {"uri": f"{_TRACK}{each}"}).update(answer)
        yield from known.values()


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))


def _artist_rows(
    dataset: Dataset, ids: Mapping[int, str], notebook: Notebook, question: Question
) -> Iterator[Mapping[str, Any]]:
    uris = dataset.artists["uri"]
    known = dict(notebook.answers(question.name, list(dict.fromkeys(ids.values()))))
    for artist, each in ids.items():
        if each in known:
            yield {"uri": uris[artist].as_py(), **known[each]}


def _write(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> int:
    """Write a table; returns how many rows there are."""
    written = 0
    rows = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while part := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema))
            written += len(part)
    return written

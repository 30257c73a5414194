"""Importing slices of the Million Playlist Dataset's format, beside json.load and pandas.

Every run is a process of its own, so that its peak memory is its own.
"""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from core.dataset.build import Provenance, build
from core.dataset.sources import mpd
from core.dataset.sources.base import Batch
from core.dataset.sources.simulated import simulate
from core.measure import measured
from core.progress import SILENT, Progress

PLAYLISTS_A_SLICE = 1_000


def import_benchmark(
    slices: int = 100, seed: int = 0, progress: Progress = SILENT
) -> dict[str, Any]:
    """Import simulated slices, and explode the same slices with pandas, in the same run.

    Parameters
    ----------
    slices : int
        Files of 1,000 playlists; a quarter of them is imported too, to see how memory grows.
    seed : int
    progress : Progress

    Returns
    -------
    dict
        `slices`, `entries`, `megabytes`; seconds of the `import` (a clean dataset, without the
        search index), of the `import_with_search`, of `pandas`, and `ratio` = pandas / import;
        peak memory in MB of the import of a quarter and of all slices.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        entries = _write_slices(folder / "all", slices, seed, progress)
        _link(folder / "all", folder / "quarter", slices // 4)
        paths = sorted((folder / "all").iterdir())
        progress.update("Exploding with pandas")
        pandas_s, pandas_mb = _alone(_explode, folder / "all")
        progress.update("Importing")
        quarter_s, quarter_mb = _alone(_import, folder / "quarter")
        import_s, import_mb = _alone(_import, folder / "all")
        progress.update("Importing with the search index")
        search_s, _ = _alone(_import_with_search, folder / "all")
        return {
            "slices": slices,
            "entries": entries,
            "megabytes": round(sum(path.stat().st_size for path in paths) / 1e6),
            "pandas_s": pandas_s,
            "pandas_peak_mb": pandas_mb,
            "import_s": import_s,
            "ratio": pandas_s / import_s,
            "import_peak_mb": import_mb,
            "quarter_s": quarter_s,
            "quarter_peak_mb": quarter_mb,
            "import_with_search_s": search_s,
        }


def _write_slices(folder: Path, slices: int, seed: int, progress: Progress) -> int:
    """Simulated playlists as slices with the fields of the published ones; their entries."""
    folder.mkdir()
    # The published set has 2.26 tracks a playlist; a part of it has more.
    playlists = slices * PLAYLISTS_A_SLICE
    waiting: list[dict[str, Any]] = []
    written = entries = 0
    for batch in simulate(playlists, 8 * playlists, seed, progress):
        waiting += _playlists(batch)
        entries += len(batch.entries)
        while len(waiting) >= PLAYLISTS_A_SLICE or (waiting and written == slices - 1):
            part, waiting = waiting[:PLAYLISTS_A_SLICE], waiting[PLAYLISTS_A_SLICE:]
            _write_slice(folder, written, part)
            written += 1
    return entries


def _playlists(batch: Batch) -> list[dict[str, Any]]:
    """A batch in the fields of the published slices."""
    renamed = ("track_uri", "track_name", "artist_name", "artist_uri", "album_name", "duration_ms")
    columns = [
        batch.entries[ours].to_pylist()
        for ours in ("playlist", "uri", "title", "artist", "artist_uri", "album", "duration_ms")
    ]
    playlists = [
        {
            "name": row["title"],
            "collaborative": "false",
            "modified_at": row["modified"],
            "num_followers": row["followers"],
            "num_edits": 1,
            "tracks": [],
        }
        for row in batch.playlists.to_pylist()
    ]
    for playlist, *values in zip(*columns, strict=True):
        tracks = playlists[playlist]["tracks"]
        fields = dict(zip(renamed, values, strict=True))
        tracks.append({"pos": len(tracks), "album_uri": f"album:{fields['track_uri']}"} | fields)
    return playlists


def _write_slice(folder: Path, number: int, playlists: list[dict[str, Any]]) -> None:
    first = number * PLAYLISTS_A_SLICE
    last = first + PLAYLISTS_A_SLICE - 1
    numbered = [{"pid": first + i} | playlist for i, playlist in enumerate(playlists)]
    content = {"info": {"slice": f"{first}-{last}", "version": "v1"}, "playlists": numbered}
    # The published slices are indented too.
    text = json.dumps(content, indent=4)
    (folder / f"mpd.slice.{first}-{last}.json").write_text(text, "utf-8")


def _link(whole: Path, part: Path, count: int) -> None:
    part.mkdir()
    for path in sorted(whole.iterdir(), key=lambda path: path.stat().st_mtime_ns)[:count]:
        (part / path.name).symlink_to(path)


def _alone(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """Seconds and peak MB of some work in a fresh process; its imports are not counted."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, work, folder).result()


def _measured(work: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    import pandas as pd

    pd.DataFrame({"a": [[1]]}).explode("a")
    pa.array([1])
    with measured() as cost:
        work(folder)
    return cost.seconds, cost.peak_mb


def _import(folder: Path) -> None:
    _build(folder, searchable=False)


def _import_with_search(folder: Path) -> None:
    _build(folder, searchable=True)


def _build(folder: Path, *, searchable: bool) -> None:
    with TemporaryDirectory() as target:
        provenance = Provenance("bench", "mpd")
        build(mpd.read([folder]), Path(target) / "bench", provenance, searchable=searchable)


def _explode(folder: Path) -> None:
    """One flat table a slice, nothing cleaned or written."""
    import pandas as pd

    for path in sorted(folder.iterdir()):
        with path.open(encoding="utf-8") as file:
            playlists = pd.DataFrame(json.load(file)["playlists"])
        rows = playlists.explode("tracks", ignore_index=True)
        tracks = pd.json_normalize(rows.pop("tracks").tolist())
        pd.concat([rows, tracks], axis=1)

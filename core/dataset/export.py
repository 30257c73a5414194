"""A list of tracks as a file that other programs read: CSV, M3U, uris."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.dataset.dataset import Dataset

_COLUMNS = {
    "Track Name": "title",
    "Artist Name": "artist_name",
    "Album Name": "album",
    "Duration (ms)": "duration_ms",
    "Track URI": "uri",
}
"""Headers as Exportify writes them, by our column."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(dataset: Dataset, tracks: Sequence[int] | np.ndarray, title: str | None = None) -> str:
    """CSV with a header that `sources.lists` and most playlist importers read.

    A text that a spreadsheet would run as a formula is preceded by an apostrophe
    (https://owasp.org/www-community/attacks/CSV_Injection).

    Parameters
    ----------
    dataset : Dataset
    tracks : sequence of track ids, in order
    title : str, optional
        Not written: a CSV has no place for it.
    """
    columns = [dataset.values(column, tracks) for column in _COLUMNS.values()]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Position", *_COLUMNS])
    for position, row in enumerate(zip(*columns, strict=True), 1):
        writer.writerow([position, *(harmless(cell) for cell in row)])
    return out.getvalue()


def to_m3u(dataset: Dataset, tracks: Sequence[int] | np.ndarray, title: str | None = None) -> str:
    """Extended M3U (https://en.wikipedia.org/wiki/M3U): seconds, artist and title, then the uri."""
    lines = ["#EXTM3U"]
    if title and title.strip():
        lines.append(f"#PLAYLIST:{_one_line(title)}")
    columns = [
        dataset.values(name, tracks) for name in ("duration_ms", "artist_name", "title", "uri")
    ]
    for duration, artist, name, uri in zip(*columns, strict=True):
        seconds = round(duration / 1000) if duration else -1
        named = " - ".join(_one_line(part) for part in (artist, name) if part)
        lines += [f"#EXTINF:{seconds},{named}", _one_line(uri)]
    return "\n".join(lines) + "\n"


def to_uris(dataset: Dataset, tracks: Sequence[int] | np.ndarray, title: str | None = None) -> str:
    """One uri a line; pasted into an empty Spotify playlist, these become its tracks."""
    return "".join(f"{_one_line(uri)}\n" for uri in dataset.values("uri", tracks))


@dataclass(frozen=True)
class Format:
    """A way to write a list: its name for a person, its file's ending and media type."""

    label: str
    ending: str
    media_type: str
    write: Callable[[Dataset, Sequence[int] | np.ndarray, str | None], str]


FORMATS: Mapping[str, Format] = {
    "csv": Format("CSV", ".csv", "text/csv", to_csv),
    "m3u": Format("M3U", ".m3u8", "audio/x-mpegurl", to_m3u),
    "uris": Format("URIs", ".txt", "text/plain", to_uris),
}


def harmless(cell: object) -> object:
    """The cell as one that no spreadsheet takes for a formula; missing is empty."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""Million Playlist Dataset JSON: a folder of slices, a zip of slices, or one slice.

Slices are parsed by Arrow straight into columns, two at a time. Only a slice that Arrow refuses is
parsed again by Python, which says what is wrong where, and keeps every row that can be kept.
"""

import io
import json
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources.base import Batch, Problem, complete
from core.errors import SegueError
from core.progress import SILENT, Progress

WORKERS = 2
LARGEST_SLICE = 512 * 2**20
LARGEST_RATIO = 200
"""A zip member that unpacks to more than this many times its size is refused: JSON playlists
compress 4- to 12-fold."""

_UNPACKING = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression that Python lacks
)

_TRACK = pa.struct(
    [
        ("track_uri", pa.string()),
        ("track_name", pa.string()),
        ("artist_name", pa.string()),
        ("artist_uri", pa.string()),
        ("album_name", pa.string()),
        ("duration_ms", pa.int64()),
    ]
)
_PLAYLIST = pa.struct(
    [
        ("pid", pa.int64()),
        ("name", pa.string()),
        ("num_followers", pa.int64()),
        ("modified_at", pa.int64()),
        ("tracks", pa.list_(_TRACK)),
    ]
)
_SLICE = pa.schema([("playlists", pa.list_(_PLAYLIST))])
_RENAMED = {
    "uri": "track_uri",
    "title": "track_name",
    "artist": "artist_name",
    "artist_uri": "artist_uri",
    "album": "album_name",
    "duration_ms": "duration_ms",
}


def read(paths: Sequence[Path], progress: Progress = SILENT) -> Iterator[Batch]:
    """Yield one batch a slice, in the order of the slices' numbers.

    Parameters
    ----------
    paths : sequence of Path
        Folders, zips or single slices.

    Raises
    ------
    SegueError
        If a file is no slice, is truncated, or a zip is unsafe or holds no slice.
    """
    slices = [piece for path in paths for piece in _slices(path)]
    with ThreadPoolExecutor(WORKERS) as pool:
        ahead: deque[Future[Batch]] = deque()
        for name, load in progress.track(slices, "Reading slices"):
            ahead.append(pool.submit(_batch, name, load))
            if len(ahead) > WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _slices(path: Path) -> list[tuple[str, Callable[[], bytes]]]:
    """Name and loader of every slice of a path."""
    if path.is_dir():
        files = sorted(path.rglob("*.json"), key=_slice_order)
        files = [file for file in files if not file.name.startswith(("challenge", "."))]
        if not files:
            raise SegueError(f"{path}: the folder holds no .json slice.")
        return [(file.name, file.read_bytes) for file in files]
    if not path.exists():
        raise SegueError(f"{path}: there is no such file or folder.")
    if path.suffix.lower() == ".zip":
        return _zip_slices(path)
    return [(path.name, path.read_bytes)]


def _slice_order(file: Path) -> tuple[int, str]:
    """`mpd.slice.1000-1999.json` by its first number, others after, by name."""
    first = file.name.removeprefix("mpd.slice.").split("-")[0]
    return (int(first) if first.isdigit() else 2**62, str(file))


def _zip_slices(path: Path) -> list[tuple[str, Callable[[], bytes]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise SegueError(f"{path.name}: not a readable zip file ({error}).") from error
    for info in members:
        _check_member(path.name, info)
    members = [
        info
        for info in members
        if info.filename.endswith(".json")
        and not Path(info.filename).name.startswith(("challenge", ".", "._"))
    ]
    if not members:
        raise SegueError(f"{path.name}: the zip holds no .json slice.")
    members.sort(key=lambda info: _slice_order(Path(info.filename)))

    def loader(info: zipfile.ZipInfo) -> Callable[[], bytes]:
        return lambda: _read_member(path, info)

    return [(f"{path.name}/{info.filename}", loader(info)) for info in members]


def _check_member(archive: str, info: zipfile.ZipInfo) -> None:
    name = Path(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise SegueError(
            f"{archive}: the member {info.filename!r} points outside the archive; nothing was read."
        )
    if info.file_size > max(LARGEST_RATIO * info.compress_size, 2**20) or (
        info.file_size > LARGEST_SLICE
    ):
        raise SegueError(
            f"{archive}: the member {info.filename!r} unpacks from {info.compress_size:,} to "
            f"{info.file_size:,} bytes, more than a slice can; nothing was read."
        )


def _read_member(path: Path, info: zipfile.ZipInfo) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as member:
            return member.read(LARGEST_SLICE + 1)
    except _UNPACKING as error:
        raise SegueError(f"{path.name}: {info.filename} cannot be unpacked ({error}).") from error


def _batch(name: str, load: Callable[[], bytes]) -> Batch:
    try:
        content = load()
    except OSError as error:
        raise SegueError(f"{name}: cannot be read ({error}).") from error
    problems: list[Problem] = []
    try:
        table = pj.read_json(
            io.BytesIO(content),
            read_options=pj.ReadOptions(use_threads=False, block_size=max(len(content), 1)),
            parse_options=pj.ParseOptions(
                explicit_schema=_SLICE, newlines_in_values=True, unexpected_field_behavior="ignore"
            ),
        )
        playlists = pa.concat_arrays(table["playlists"].chunks).flatten()
    except pa.ArrowException:
        playlists = pa.array(_repair(name, content, problems), _PLAYLIST)
    return _flatten(playlists, problems)


def _flatten(playlists: pa.StructArray, problems: list[Problem]) -> Batch:
    """Turn nested playlists into the two tables of a batch, without copying strings."""
    columns = dict(zip(_PLAYLIST.names, playlists.flatten(), strict=True))
    listed = columns["tracks"]
    tracks = dict(zip(_TRACK.names, listed.flatten().flatten(), strict=True))
    n_entries = len(tracks["track_uri"])
    lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy()
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    entries = {
        "playlist": pa.array(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)),
        "position": pa.array((np.arange(n_entries) - starts).astype(np.int32)),
        **{ours: tracks[theirs] for ours, theirs in _RENAMED.items()},
    }
    return Batch(
        complete(
            {
                "source_id": columns["pid"].cast(pa.string()),
                "title": columns["name"],
                "followers": columns["num_followers"],
                "modified": columns["modified_at"],
            },
            BATCH_PLAYLISTS,
            len(playlists),
        ),
        complete(entries, BATCH_ENTRIES, n_entries),
        problems,
    )


def _repair(name: str, content: bytes, problems: list[Problem]) -> list[dict[str, Any]]:
    """Parse a slice that Arrow refused: keep its sound rows, note the others."""
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SegueError(
            f"{name}: not UTF-8 text (byte {error.start:,}); is it a JSON slice?"
        ) from error
    except json.JSONDecodeError as error:
        raise SegueError(
            f"{name}: broken JSON at line {error.lineno}, column {error.colno} ({error.msg}); "
            "the file may be truncated: download or export it again."
        ) from error
    except RecursionError as error:
        raise SegueError(f"{name}: nested too deeply to be a playlist slice.") from error
    if not isinstance(document, dict) or not isinstance(document.get("playlists"), list):
        raise SegueError(
            f'{name}: no list of playlists under the field "playlists"; is it a slice of the '
            "Million Playlist Dataset?"
        )
    return [
        _checked(playlist, _PLAYLIST, f"{name}, playlist {row}", problems)
        for row, playlist in enumerate(document["playlists"])
        if _is_object(playlist, f"{name}, playlist {row}", problems)
    ]


def _is_object(value: Any, where: str, problems: list[Problem]) -> bool:
    if not isinstance(value, dict):
        problems.append(Problem("rows that are not objects, skipped", where))
    return isinstance(value, dict)


def _checked(
    row: dict[str, Any], schema: pa.StructType, where: str, problems: list[Problem]
) -> dict[str, Any]:
    """The fields of `schema` in `row`; a field of another type is noted and becomes null."""
    checked: dict[str, Any] = {}
    for field in schema:
        value = row.get(field.name)
        place = f"{where}, {field.name}"
        if value is None:
            continue
        if pa.types.is_list(field.type) and isinstance(value, list):
            checked[field.name] = [
                _checked(track, _TRACK, f"{where}, track {i}", problems)
                for i, track in enumerate(value)
                if _is_object(track, f"{where}, track {i}", problems)
            ]
        elif pa.types.is_integer(field.type) and _is_whole(value):
            checked[field.name] = int(value)
        elif pa.types.is_string(field.type) and isinstance(value, str):
            # JSON escapes can spell half a surrogate pair, which no UTF-8 text can hold.
            checked[field.name] = value.encode("utf-8", "replace").decode("utf-8")
        else:
            wanted = {"string": "text", "int64": "a whole number"}.get(str(field.type), "a list")
            problems.append(Problem(f"{field.name} is not {wanted}, now unknown", place))
    return checked


def _is_whole(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) < 19
    return isinstance(value, int | float) and abs(value) < 2**63 and value == int(value)

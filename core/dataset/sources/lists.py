"""Lists that people have: CSV exports, M3U, XSPF and JSPF playlists, "Artist - Title", links.

One parser serves both uses: a list becomes a dataset (`read`) or the seeds of one query
(`parse_text`, `parse_file`). The format follows from the content, then from the file's ending.

M3U: https://en.wikipedia.org/wiki/M3U. XSPF and JSPF: https://www.xspf.org. CSV: the columns of
Exportify and most other exporters.
"""

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

from core.dataset.links import Link, is_id, links_in, names_spotify
from core.dataset.sources.base import Batch, Problem, batch_from_rows
from core.errors import SegueError
from core.progress import SILENT, Progress

LARGEST_TEXT, MOST_LINES = 5_000_000, 100_000
"""Characters and lines of a pasted text."""
LARGEST_FILE, MOST_FILE_LINES = 100 * 2**20, 1_000_000
"""Bytes and lines of a file."""
ENTRIES_A_BATCH = 50_000

SUFFIXES = (".csv", ".tsv", ".txt", ".m3u", ".m3u8", ".xspf", ".xml", ".jspf", ".json")
"""What `read` looks for in a folder."""

_COLUMNS = {
    "uri": (
        "track uri",
        "spotify uri",
        "uri",
        "track id",
        "spotify track id",
        "spotify id",
        "track url",
        "spotify url",
        "url",
        "link",
        "id",
    ),
    "title": ("track name", "track title", "title", "track", "song", "song name", "name"),
    "artist": ("artist name s", "artist name", "track artist", "artist s", "artist", "artists"),
    "album": ("album name", "album title", "album"),
    "duration": ("track duration ms", "duration ms", "duration", "length", "time"),
    "explicit": ("explicit", "is explicit", "track explicit"),
    "playlist": ("playlist name", "playlist title", "playlist"),
}
"""Headers in lower case with signs as spaces; earlier ones are preferred."""

_URI = re.compile(r"[a-z]+:(?:[a-z]+:)?[!-~]+")
_NUMBERING = re.compile(
    r"^\s*(?:[•·*–—-]\s+|(?:#?\d{1,4}[.)]|\(\d{1,4}\)|#\d{1,4})\s*(?=\D)|\d{1,4}\t+)+"
)
_NUMBER_DASH = re.compile(r"^\s*\d{1,4}\s+[-–—]\s+")
_DASH = re.compile(r"\s+[-–—―−]\s+")
_LONG_DASH = re.compile(r"\s*[–—―]\s*")
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:\.\d+)?")
_EXTINF = re.compile(r'#EXTINF:\s*(-?[\d.]*)[^,"]*(?:"[^"]*"[^,"]*)*,(.*)', re.I)

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_NOTHING = 'give each track as "Artist - Title" or as a Spotify track link'


@dataclass(frozen=True, slots=True)
class ListedTrack:
    """A track as a list names it: a uri, or a title and an artist, or both.

    Attributes
    ----------
    uri : str or None
        As "spotify:track:…".
    title, artist, album : str or None
        As written; `artist` may name several.
    duration_ms : int or None
    line : int
        Where it stands: the line of the text, or the number of the track in a JSPF file.
    explicit : bool or None
        As a CSV's column says.
    """

    uri: str | None
    title: str | None
    artist: str | None
    album: str | None
    duration_ms: int | None
    line: int
    explicit: bool | None = None


@dataclass
class ListedPlaylist:
    """One playlist of a list; `problems` are the rows and fields that were skipped."""

    title: str | None = None
    tracks: list[ListedTrack] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse_text(text: str, name: str = "pasted text") -> list[ListedPlaylist]:
    """Read a pasted list of any of the formats.

    Parameters
    ----------
    text : str
        At most 5,000,000 characters and 100,000 lines.
    name : str
        What to call the text in sentences.

    Returns
    -------
    list of ListedPlaylist
        At least one, at least one with a track. Several if a CSV has a playlist column.

    Raises
    ------
    SegueError
        If the text is empty, too long, broken, or names no track.
    """
    if len(text) > LARGEST_TEXT:
        raise SegueError(
            f"{name}: {len(text):,} characters are more than the {LARGEST_TEXT:,} that can be "
            "pasted; import it as a file."
        )
    _check_lines(text, name, MOST_LINES, "import it as a file")
    return _with_tracks(_parse(text, name), name)


def parse_file(data: bytes, name: str) -> list[ListedPlaylist]:
    """Read a list from a file's content; like `parse_text`, a file may be larger.

    A playlist that the content does not name is named after the file.

    Parameters
    ----------
    data : bytes
        UTF-8, or UTF-16 with a byte-order mark; M3U may be Latin-1. At most 100 MB.
    name : str
        The file's name; its ending helps to tell the format.

    Raises
    ------
    SegueError
        If the file is empty, too large, no text, broken, or names no track.
    """
    return _with_tracks(_parse_file(data, name), name)


def read(paths: Sequence[Path], progress: Progress = SILENT) -> Iterator[Batch]:
    """Yield the playlists of list files, or of folders of them.

    Parameters
    ----------
    paths : sequence of Path
        Each file is a playlist, or several if it has a playlist column.

    Raises
    ------
    SegueError
        As `parse_file`, or if there is no list at all. A file of a folder that names no track is
        only noted.
    """
    files = _distinct_names([file for path in paths for file in _files(path)])
    rows = _BatchRows()
    for name, file in progress.track(files, "Reading lists"):
        playlists = _parse_file(_content(file, name), name)
        if len(files) == 1:
            playlists = _with_tracks(playlists, name)
        for place, playlist in enumerate(playlists):
            rows.add(playlist, f"{name}, playlist {place}" if place else name)
            if len(rows.entries) >= ENTRIES_A_BATCH:
                yield rows.batch()
                rows = _BatchRows()
    if rows.playlists:
        yield rows.batch()


class _BatchRows:
    """Rows of a batch that is being filled."""

    def __init__(self) -> None:
        self.playlists: list[dict[str, Any]] = []
        self.entries: list[dict[str, Any]] = []
        self.problems: list[Problem] = []

    def add(self, playlist: ListedPlaylist, source_id: str) -> None:
        self.entries += (
            {
                "playlist": len(self.playlists),
                "position": position,
                "uri": track.uri,
                "title": track.title,
                "artist": track.artist,
                "album": track.album,
                "duration_ms": track.duration_ms,
                "explicit": track.explicit,
            }
            for position, track in enumerate(playlist.tracks)
        )
        self.playlists.append({"source_id": source_id, "title": playlist.title})
        self.problems += playlist.problems

    def batch(self) -> Batch:
        return batch_from_rows(self.playlists, self.entries, self.problems)


def _files(path: Path) -> list[tuple[str, Path]]:
    """Name for sentences, and path, of each list under `path`."""
    if not path.is_dir():
        return [(path.name, path)]
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )
    if not files:
        raise SegueError(f"{path}: the folder holds no list ({', '.join(SUFFIXES)}).")
    return [(file.relative_to(path).as_posix(), file) for file in files]


def _distinct_names(files: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """The whole path for a name where two files share it: a name is the playlist's id."""
    times = Counter(name for name, _ in files)
    return [(name if times[name] == 1 else str(file), file) for name, file in files]


def _content(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as handle:
            return handle.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SegueError(f"{name}: cannot be read ({error.strerror}).") from error


def _parse_file(data: bytes, name: str) -> list[ListedPlaylist]:
    if len(data) > LARGEST_FILE:
        raise SegueError(
            f"{name}: the file is larger than the {LARGEST_FILE // 2**20} MB that a list can have."
        )
    text = _decode(data, name)
    _check_lines(text, name, MOST_FILE_LINES, "split it")
    playlists = _parse(text, name)
    for playlist in playlists:
        playlist.title = playlist.title or _tidy(PurePath(name).stem.replace("_", " "))
    return playlists


def _decode(data: bytes, name: str) -> str:
    """Text of a file's bytes; see `parse_file` for what is accepted."""
    if data.startswith(b"PK\x03\x04"):
        raise SegueError(
            f"{name}: this is a zip archive or a spreadsheet, not text; unpack it or export it as "
            "CSV."
        )
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif _is_binary(data):
        raise SegueError(
            f"{name}: the file is binary, not text; export the list as CSV, M3U, XSPF, JSPF or "
            "plain text."
        )
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if PurePath(name).suffix.lower() == ".m3u":
            return data.decode("latin-1")
        line = data.count(b"\n", 0, error.start) + 1
        raise SegueError(
            f"{name}, line {line}: the text is neither UTF-8 nor UTF-16; save it as UTF-8 and try "
            "again."
        ) from error


def _is_binary(data: bytes) -> bool:
    """Whether there are bytes that no text has: control codes other than white space and escape."""
    return re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", data[: 1 << 16]) is not None


def _check_lines(text: str, name: str, most: int, remedy: str) -> None:
    lines = max(text.count("\n"), text.count("\r")) + 1
    if lines > most:
        raise SegueError(f"{name}: {lines:,} lines are more than the {most:,} allowed; {remedy}.")


def _with_tracks(playlists: list[ListedPlaylist], name: str) -> list[ListedPlaylist]:
    if not any(playlist.tracks for playlist in playlists):
        problems = [problem for playlist in playlists for problem in playlist.problems]
        why = f" ({problems[0].where}: {problems[0].kind})" if problems else ""
        raise SegueError(f"{name}: no track was found{why}; {_NOTHING}.")
    return playlists


def _parse(text: str, name: str) -> list[ListedPlaylist]:
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise SegueError(f"{name} is empty; {_NOTHING}.")
    return _format(text, PurePath(name).suffix.lower())(text, name)


def _format(text: str, suffix: str) -> Callable[[str, str], list[ListedPlaylist]]:
    """The parser for a text."""
    head = text[:4096].lstrip()
    if head.upper().startswith(("#EXTM3U", "#EXTINF:")) or suffix in (".m3u", ".m3u8"):
        return _m3u
    if re.match(r"<[?!a-zA-Z]", head) or suffix in (".xspf", ".xml"):
        return _xspf
    if re.match(r'\{\s*["}]', head) or suffix in (".jspf", ".json"):
        return _jspf
    if suffix in (".csv", ".tsv") or _identifies(_header(text)[1]):
        return _csv
    return _lines


class _Playlist:
    """A playlist that is being read: each row becomes a track or a problem.

    Parameters
    ----------
    name : str
        The file's, for problems.
    unit : str
        What `line` counts: "line" or "track".
    """

    def __init__(self, name: str, title: str | None = None, unit: str = "line") -> None:
        self.listed = ListedPlaylist(title)
        self._name, self._unit = name, unit

    def problem(self, kind: str, line: int, column: str | None = None) -> None:
        where = f"{self._name}, {self._unit} {line}" + (f", {column}" if column else "")
        self.listed.problems.append(Problem(kind, where))

    def add(
        self,
        line: int,
        uri: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
        duration: str | float | None = None,
        in_ms: bool = True,
        explicit: str = "",
    ) -> None:
        """Add a track if it can be identified; for `duration` see `_milliseconds`."""
        title, artist, album = _tidy(title), _tidy(artist), _tidy(album)
        if not uri and not (title and artist):
            kind = "rows without a Spotify track id or a title and an artist, skipped"
            self.problem(kind, line)
            return
        try:
            duration_ms = _milliseconds(duration, in_ms)
        except ValueError:
            duration_ms = None
            self.problem("duration is not a time, now unknown", line, "duration")
        flag = _FLAGS.get(explicit.lower())
        if explicit and flag is None:
            self.problem("explicit is neither true nor false, now unknown", line, "explicit")
        self.listed.tracks.append(ListedTrack(uri, title, artist, album, duration_ms, line, flag))


def _tidy(text: str | None) -> str | None:
    return (text or "").strip() or None


def _milliseconds(duration: str | float | None, in_ms: bool) -> int | None:
    """Milliseconds of m:ss, h:mm:ss or a number.

    Where the unit is not given, numbers below 10,000 are seconds: few tracks last less than ten
    seconds or more than three hours.
    """
    text = str(duration if duration is not None else "").strip()
    if not text:
        return None
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return ((hours * 60 + minutes) * 60 + seconds) * 1000 or None
    number = float(text)
    if not 0 <= number < 2**31:
        raise ValueError(text)
    return round(number if in_ms or number >= 10_000 else number * 1000) or None


def track_uri(text: str) -> str | None:
    """The uri of a Spotify track given as link, uri or bare id; None if it is none."""
    return next(iter(_track_uris(text)), None)


def _track_uris(text: str) -> list[str]:
    """The uris of all tracks that a text links to, or of the one whose bare id it is."""
    text = text.strip()
    if is_id(text):
        return [Link("track", text).uri]
    return [link.uri for link in links_in(text) if link.kind == "track"]


def parse_track(text: str, line: int = 1) -> ListedTrack | None:
    """One track as a person or a program names it: by uri, link, Spotify id, "Artist - Title".

    None if the text names none. `line` is where it stands.
    """
    uri = track_uri(text) or (text.strip() if _URI.fullmatch(text.strip()) else None)
    names = (None, None) if uri else _artist_and_title(text)
    return ListedTrack(uri, names[1], names[0], None, None, line) if names else None


def _split(text: str) -> list[str]:
    """Lines of any system; not `splitlines`, which breaks at rarer characters within a title."""
    return re.split(r"\r\n|\r|\n", text)


def _lines(text: str, name: str) -> list[ListedPlaylist]:
    """Plain lines, each "Artist - Title" or Spotify track links."""
    playlist = _Playlist(name)
    for number, line in enumerate(_split(text), 1):
        if not line.strip():
            continue
        uris = _track_uris(line)
        if uris:
            for uri in uris:
                playlist.add(number, uri)
        elif names_spotify(line):
            playlist.problem("Spotify links to something else than a track, skipped", number)
        elif names := _artist_and_title(line):
            playlist.add(number, artist=names[0], title=names[1])
        else:
            playlist.problem('lines that are not "Artist - Title", skipped', number)
    return [playlist.listed]


def _artist_and_title(line: str) -> tuple[str, str] | None:
    """Split "Artist - Title", with or without a number in front; tabs come before dashes."""
    line = _NUMBERING.sub("", line, count=1).strip()
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    if len(cells) > 1:
        return cells[0], cells[1]
    unnumbered = _NUMBER_DASH.sub("", line, count=1)
    for candidate, dash in ((unnumbered, _DASH), (line, _DASH), (line, _LONG_DASH)):
        parts = dash.split(candidate, maxsplit=1)
        if len(parts) == 2 and all(parts):
            return parts[0], parts[1]
    return None


def _m3u(text: str, name: str) -> list[ListedPlaylist]:
    """M3U: each path ends a track; `#EXTINF:seconds,Artist - Title` before it names it."""
    playlist = _Playlist(name)
    seconds = label = album = ""
    line = 0

    def end(number: int, path: str) -> None:
        names = _artist_and_title(label) or _artist_and_title(_stem(path)) or (None, None)
        duration = float(seconds) * 1000 if re.fullmatch(r"\d+(\.\d*)?", seconds) else None
        playlist.add(number, track_uri(path), names[1], names[0], album, duration)

    for number, raw in enumerate(_split(text), 1):
        content = raw.strip()
        upper = content.upper()
        if info := _EXTINF.match(content):
            if label:
                end(line, "")
            seconds, label, line = info[1], info[2], number
        elif upper.startswith("#PLAYLIST:"):
            playlist.listed.title = _tidy(content[len("#PLAYLIST:") :])
        elif upper.startswith("#EXTALB:"):
            album = content[len("#EXTALB:") :]
        elif content and not content.startswith("#"):
            end(line if label else number, content)
            seconds = label = ""
    if label:
        end(line, "")
    return [playlist.listed]


def _stem(path: str) -> str:
    """The name of a file in a path or address, without its ending."""
    last = re.split(r"[\\/]", unquote(path).rstrip("\\/"))[-1]
    return re.sub(r"^0\d{1,2}[\s._-]+|\.\w{2,4}$", "", last).replace("_", " ")


def _xspf(text: str, name: str) -> list[ListedPlaylist]:
    return [_Xspf(name).parse(text)]


class _Xspf:
    """XSPF by expat events; a document type, and with it every entity, is refused."""

    _TRACK = ("playlist", "trackList", "track")
    _DEEPEST = 100

    def __init__(self, name: str) -> None:
        self._name = name
        self._playlist = _Playlist(name)
        self._path: tuple[str, ...] = ()
        self._text: list[str] = []
        self._fields: dict[str, list[str]] = {}
        self._line = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append

    def parse(self, text: str) -> ListedPlaylist:
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as error:
            raise SegueError(
                f"{self._name}, line {error.lineno}: broken XML ({expat.ErrorString(error.code)}); "
                "the file may be truncated: export it again."
            ) from error
        return self._playlist.listed

    def _doctype(self, *_: object) -> None:
        raise SegueError(
            f"{self._name}, line {self._parser.CurrentLineNumber}: an XSPF playlist has no "
            "DOCTYPE; remove it."
        )

    def _start(self, tag: str, _: object) -> None:
        if len(self._path) >= self._DEEPEST:
            raise SegueError(f"{self._name}: nested too deeply to be an XSPF playlist.")
        self._path += (tag.rpartition(" ")[2],)
        self._text.clear()
        if self._path[0] != "playlist":
            raise SegueError(
                f"{self._name}: XML, but no XSPF playlist (its root is <{self._path[0][:40]}>)."
            )
        if self._path == self._TRACK:
            self._line = self._parser.CurrentLineNumber

    def _end(self, _: str) -> None:
        content = "".join(self._text).strip()
        self._text.clear()
        if self._path == ("playlist", "title"):
            self._playlist.listed.title = content or None
        elif self._path == self._TRACK:
            _add_spiff(self._playlist, self._line, self._fields)
            self._fields = {}
        elif self._path[:-1] == self._TRACK:
            self._fields.setdefault(self._path[-1], []).append(content)
        self._path = self._path[:-1]


def _add_spiff(playlist: _Playlist, line: int, fields: dict[str, list[str]]) -> None:
    """Add a track of XSPF's or JSPF's fields; a file's name stands in for absent names."""

    def first(name: str) -> str | None:
        return next(filter(None, fields.get(name, [])), None)

    places = fields.get("location", []) + fields.get("identifier", [])
    title, artist = first("title"), first("creator")
    names = None if title and artist else _artist_and_title(_stem(first("location") or ""))
    if names:
        artist, title = names
    uri = next(filter(None, map(track_uri, places)), None)
    playlist.add(line, uri, title, artist, first("album"), first("duration"))


def _jspf(text: str, name: str) -> list[ListedPlaylist]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SegueError(
            f"{name}, line {error.lineno}: broken JSON ({error.msg}); the file may be truncated: "
            "export it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SegueError(f"{name}: the JSON cannot be read ({error}).") from error
    content = document.get("playlist") if isinstance(document, dict) else None
    tracks = content.get("track") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(tracks, list):
        hint = (
            "; slices of the Million Playlist Dataset are imported as mpd"
            if isinstance(document, dict) and "playlists" in document
            else ""
        )
        raise SegueError(f'{name}: JSON, but no JSPF playlist with a list of "track"{hint}.')
    title = content.get("title")
    playlist = _Playlist(name, _tidy(title) if isinstance(title, str) else None, unit="track")
    for number, track in enumerate(tracks, 1):
        if isinstance(track, dict):
            _add_spiff(playlist, number, dict(_texts(track, number, playlist)))
        else:
            playlist.problem("rows that are not objects, skipped", number)
    return [playlist.listed]


def _texts(
    track: dict[str, Any], number: int, playlist: _Playlist
) -> Iterator[tuple[str, list[str]]]:
    """A JSPF track's fields as lists of text; what is of another type is noted."""
    for name in ("title", "creator", "album", "duration", "location", "identifier"):
        values = track.get(name)
        values = values if isinstance(values, list) else [values]
        kept = [
            # JSON escapes can spell half a surrogate pair, which no UTF-8 text can hold.
            str(value).encode("utf-8", "replace").decode("utf-8")
            for value in values
            if isinstance(value, str)
            or (name == "duration" and isinstance(value, int | float) and value >= 0)
        ]
        if len(kept) < sum(value is not None for value in values):
            wanted = "a time" if name == "duration" else "text"
            playlist.problem(f"{name} is not {wanted}, now unknown", number, name)
        yield name, kept


def _csv(text: str, name: str) -> list[ListedPlaylist]:
    """A CSV with a header; rows of several playlists if a column names them."""
    delimiter, columns = _header(text)
    rows = _csv_rows(text, delimiter, name)
    _, header = next(rows, (1, []))
    if not _identifies(columns):
        shown = ", ".join(cell.strip()[:40] for cell in header[:20])
        raise SegueError(
            f"{name}: the header has the columns {shown}; needed are a Spotify track id "
            '("Track URI", "id", "url"), or a title ("Track Name", "title") and an artist '
            '("Artist Name(s)", "artist").'
        )
    body = list(rows)
    if not any(track_uri(_cell(row, columns.get("uri"))) for _, row in body):
        columns.pop("uri", None)  # some other numbering
    in_ms = "duration" in columns and _plain(header[columns["duration"]]).endswith(" ms")
    playlists: dict[str, _Playlist] = {}
    for line, row in body:
        title = _cell(row, columns.get("playlist"))
        playlist = playlists.setdefault(title, _Playlist(name, title or None))
        if any(cell.strip() for cell in row[len(header) :]):
            playlist.problem("rows with more fields than the header, skipped", line)
        else:
            _add_row(playlist, line, {key: _cell(row, at) for key, at in columns.items()}, in_ms)
    return [playlist.listed for playlist in playlists.values()] or [ListedPlaylist()]


def _add_row(playlist: _Playlist, line: int, cells: dict[str, str], in_ms: bool) -> None:
    link = cells.get("uri", "")
    uri = track_uri(link)
    if link and not uri and not link.startswith("spotify:local:"):
        playlist.problem("ids that are no Spotify track, now unknown", line, "uri")
    playlist.add(
        line,
        uri,
        cells.get("title"),
        # Exportify writes a comma within an artist's name as "\,".
        cells.get("artist", "").replace("\\,", ","),
        cells.get("album"),
        cells.get("duration"),
        in_ms,
        cells.get("explicit", ""),
    )


def _cell(row: list[str], at: int | None) -> str:
    return row[at].strip() if at is not None and at < len(row) else ""


def _csv_rows(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line and the cells of each row that is not blank."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SegueError(
                f'{name}, line {line}: a quote (") is opened and not closed where a field ends; '
                "remove it or double it."
            ) from error
        if any(cell.strip() for cell in row):
            yield line, row


def _header(text: str) -> tuple[str, dict[str, int]]:
    """The delimiter under which most columns of the first line are known, and where they are."""
    line = _split(text[: 1 << 16].lstrip("\r\n "))[0]
    found = {}
    for delimiter in ",;\t":
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        found[delimiter] = _known(cells)
    return max(found.items(), key=lambda item: len(item[1]))


def _known(header: Iterable[str]) -> dict[str, int]:
    """Field to column, for the fields that a header names."""
    places: dict[str, int] = {}
    for place, cell in enumerate(header):
        places.setdefault(_plain(cell), place)
    return {
        name: next(places[alias] for alias in aliases if alias in places)
        for name, aliases in _COLUMNS.items()
        if any(alias in places for alias in aliases)
    }


def _plain(header: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", header.lower()))


def _identifies(columns: dict[str, int]) -> bool:
    return "uri" in columns or {"title", "artist"} <= columns.keys()

"""People's playlists over the catalogue: what they are about and what they hold."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources.base import Batch, complete
from core.dataset.sources.simulated.catalogue import (
    CROSSOVER_SHARE,
    FAMILY_NAMES,
    FAMILY_OF_STYLE,
    STYLE_NAMES,
    Catalogue,
)
from core.dataset.sources.simulated.law import Lengths
from core.dataset.sources.simulated.names import Names, uris
from core.dataset.sources.simulated.noise import Noise
from core.dataset.sources.simulated.titles import MOOD_NAMES, Topic, called

PARTS = 5
_THEME, _HITS, _NOISE = slice(0, 3), 3, 4
"""A playlist's parts: up to three windows on its theme, hits from beyond it, and anything."""


@dataclass(frozen=True)
class Habit:
    """How playlists of a kind are made.

    Attributes
    ----------
    share : float
        Of all playlists.
    crossover : float
        Share of hits, as a factor of the mean; over all playlists these average 1.
    noise : tuple of two floats
        Range of the share of entries that can be anything.
    windows : tuple of three floats
        Weights of having one, two and three windows on the theme.
    width : float
        Median width of a window, as a share of its region.
    runs : tuple of four floats
        Weights of staying `_RUN_LENGTHS` entries in one neighbourhood.
    own_hits : float
        Share of playlists whose hits are of the theme's family.
    hits_width : float
        Of the window on them: narrow where the hits are of an era.
    """

    share: float
    crossover: float
    noise: tuple[float, float]
    windows: tuple[float, float, float]
    width: float
    runs: tuple[float, float, float, float] = (1, 0, 0, 0)
    own_hits: float = 0.0
    hits_width: float = 1.0


HABITS = {
    "style": Habit(0.44, 0.85, (0.03, 0.20), (0.35, 0.35, 0.3), 0.40, (4, 3, 2, 1), own_hits=0.5),
    "artist": Habit(0.08, 0.5, (0.02, 0.10), (0, 1, 0), 0.05, (0, 0, 1, 3), own_hits=0.5),
    "era": Habit(0.16, 1.1, (0.03, 0.20), (1, 0, 0), 0.16, own_hits=0.8, hits_width=0.4),
    "mood": Habit(0.22, 1.1, (0.02, 0.12), (0.5, 0.5, 0), 0.45),
    "mix": Habit(0.10, 1.7, (0.30, 0.60), (0, 0, 1), 0.50, (3, 2, 0, 0)),
}
KINDS = tuple(HABITS)
_RUN_LENGTHS = np.array([1, 2, 3, 8])
_SPLIT = np.array([[1, 0, 0], [0.62, 0.38, 0], [0.45, 0.32, 0.23]])
"""How one, two or three windows share a playlist."""


def _by_kind(attribute: str) -> np.ndarray:
    return np.array([getattr(habit, attribute) for habit in HABITS.values()], dtype=float)


_ERAS_LAYOUT, _MOODS_LAYOUT, _HITS_LAYOUT = 2, 3, 4
"""After the two scenes."""
_SAME_FAMILY = 0.7
_COPIED_SHARE = 0.004
_REDRAWS = 4
_GOLDEN = (5**0.5 - 1) / 2
_STREAMING, _NOW = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2009, 2025))
_YEAR_SECONDS = 365.2425 * 86_400


@dataclass(frozen=True)
class Themes:
    """What each playlist of a batch is about.

    Attributes
    ----------
    ids : int64 array, shape (n,)
        Numbers of the playlists in the whole simulation.
    kind : int64 array, shape (n,)
        Index into `KINDS`.
    layout : int64 array, shape (n,)
        Where the theme's windows are: the layouts' order is scenes, eras, moods.
    place : float64 array, shape (n, 3)
        Where on its layout each window of the theme is centred.
    counts : int64 array, shape (n, 5)
        Draws of each part.
    """

    ids: np.ndarray
    kind: np.ndarray
    layout: np.ndarray
    place: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class _Windows:
    """Where each part of each playlist draws from; arrays of shape (n * 5,)."""

    layout: np.ndarray
    low: np.ndarray
    span: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    run: np.ndarray

    def place(self, part: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Where on its layout a draw of a part falls, given a number uniform on (0, 1)."""
        inside = (self.centre[part] + self.width[part] * (drawn - 0.5)) % 1.0
        return self.low[part] + self.span[part] * inside


class Listeners:
    """Makes playlists; each depends on its number only, not on the batch it is in.

    Parameters
    ----------
    catalogue : Catalogue
    lengths : Lengths
    """

    def __init__(self, catalogue: Catalogue, lengths: Lengths) -> None:
        self._catalogue = catalogue
        self._lengths = lengths
        self._noise = catalogue.noise
        self._names = Names(catalogue)
        self._layouts = (*catalogue.scenes, catalogue.eras, catalogue.moods, catalogue.hits)

    def batch(self, ids: np.ndarray) -> Batch:
        """The playlists of these numbers."""
        themes = self.themes(ids)
        playlist, track = self.entries(themes)
        return Batch(self._playlists(themes, playlist, track), self._wide(playlist, track))

    def themes(self, ids: np.ndarray) -> Themes:
        """What the playlists of these numbers are about."""
        noise = self._noise
        kind = noise.choice(_by_kind("share"), "kind", ids)
        place = noise.uniform("place", ids[:, None], np.arange(3))
        place[:, 1:] = np.where(
            noise.uniform("kin", ids[:, None], np.arange(2)) < _SAME_FAMILY,
            self._near(kind, place),
            place[:, 1:],
        )
        scene = (noise.uniform("which scene", ids) < 0.5).astype(np.int64)
        # In the order of KINDS.
        layout = np.choose(kind, [scene, scene, _ERAS_LAYOUT, _MOODS_LAYOUT, scene])
        return Themes(ids, kind, layout, place, self._counts(ids, kind))

    def _near(self, kind: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Further places in the first one's family, or its mood; uniform over all playlists."""
        in_mood = kind == KINDS.index("mood")
        near = np.empty((len(place), 2))
        # Families lie in scenes as they lie in eras.
        for number, rows in ((_MOODS_LAYOUT, in_mood), (_ERAS_LAYOUT, ~in_mood)):
            regions = self._layouts[number].regions
            region = self._layouts[number].region_at(place[rows, 0])
            low, high = regions[region, None], regions[region + 1, None]
            near[rows] = low + (high - low) * place[rows, 1:]
        return near

    def _counts(self, ids: np.ndarray, kind: np.ndarray) -> np.ndarray:
        noise = self._noise
        length = self._lengths.values[noise.choice(self._lengths.shares, "length", ids)]
        share = np.zeros((len(ids), PARTS))
        share[:, _HITS] = CROSSOVER_SHARE * _by_kind("crossover")[kind]
        share[:, _HITS] *= 0.3 + 1.4 * noise.uniform("taste for hits", ids)
        low, high = _by_kind("noise")[kind].T
        share[:, _NOISE] = low + (high - low) * noise.uniform("taste for anything", ids)
        share[:, _NOISE] *= 1 - share[:, _HITS]
        windows = self._choice_by_kind("windows", kind, ids)
        share[:, _THEME] = _SPLIT[windows] * (1 - share.sum(axis=1))[:, None]
        # Round sums, so that parts add up and are right on average.
        ends = np.cumsum(share, axis=1) * length[:, None]
        ends[:, -1] = length
        ends[:, :-1] += noise.uniform("rounding", ids)[:, None]
        return np.diff(np.floor(ends).astype(np.int64), axis=1, prepend=0)

    def _choice_by_kind(self, attribute: str, kind: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Indices drawn with the weights that a habit gives."""
        weights = _by_kind(attribute)
        ends = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)[kind, :-1]
        return (ends <= self._noise.uniform(attribute, ids)[:, None]).sum(axis=1)

    def _windows(self, themes: Themes) -> _Windows:
        noise, kind, shape = self._noise, themes.kind, themes.counts.shape
        layout = np.zeros(shape, dtype=np.int64)
        layout[:, _THEME] = themes.layout[:, None]
        layout[:, _HITS] = _HITS_LAYOUT
        place = np.zeros(shape)
        place[:, _THEME] = themes.place
        place[:, _HITS] = self._among_hits(themes)
        within = np.ones(shape, dtype=bool)
        within[:, _HITS] = noise.uniform("own hits", themes.ids) < _by_kind("own_hits")[kind]
        within[:, _NOISE] = False
        low, span, crowding = self._regions(layout, place, within)
        width = np.ones(shape)
        spread = np.exp(0.5 * noise.normal("width", themes.ids[:, None], np.arange(3)))
        width[:, _THEME] = _by_kind("width")[kind][:, None] * spread
        width[:, _HITS] = _by_kind("hits_width")[kind]
        width = np.minimum(np.maximum(width, 1.2 * crowding * themes.counts), 1.0)
        run = np.ones(shape, dtype=np.int64)
        run[:, _THEME] = _RUN_LENGTHS[self._choice_by_kind("runs", kind, themes.ids)][:, None]
        fields = (layout, low, span, (place - low) / span, width, run)
        return _Windows(*(field.ravel() for field in fields))

    def _regions(
        self, layout: np.ndarray, place: np.ndarray, within: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, size and crowding of the region around each place; of all where not within."""
        low, span, crowding = np.zeros(place.shape), np.ones(place.shape), np.zeros(place.shape)
        for number, where in enumerate(self._layouts):
            rows = (layout == number) & within
            region = where.region_at(place[rows])
            low[rows] = where.regions[region]
            span[rows] = where.regions[region + 1] - where.regions[region]
            crowding[rows] = where.crowding[region]
        return low, span, crowding

    def _among_hits(self, themes: Themes) -> np.ndarray:
        """Places among the hits, uniform, and nearly all in the family of the first window."""
        home, hits = self._layouts[_ERAS_LAYOUT], self._layouts[_HITS_LAYOUT]
        shares, hit_shares = np.diff(home.regions), np.diff(hits.regions)
        place = themes.place[:, 0]
        family = home.region_at(place)
        inside = (place - home.regions[family]) / shares[family]
        # A family with fewer hits than listeners lends some of them to one with more.
        lends = self._noise.uniform("lends", themes.ids) > hit_shares[family] / shares[family]
        surplus = np.maximum(hit_shares - shares, 1e-12)
        family = np.where(lends, self._noise.choice(surplus, "borrows", themes.ids), family)
        return hits.regions[family] + hit_shares[family] * inside

    def entries(self, themes: Themes) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the batch's playlists, rising, and tracks in the playlists' order."""
        part = np.repeat(np.arange(themes.counts.size), themes.counts.ravel())
        track, key = self._draw(themes, part)
        playlist = part // PARTS
        ids = themes.ids[playlist]
        # A few people add a track twice.
        copied = self._noise.uniform("copied", ids, track) < _COPIED_SHARE
        again = self._noise.uniform("again", ids[copied], track[copied])
        playlist = np.concatenate([playlist, playlist[copied]])
        track = np.concatenate([track, track[copied]])
        order = np.lexsort((track, np.concatenate([key, again]), playlist))
        return playlist[order], track[order]

    def _draw(self, themes: Themes, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The track of each draw, and a key that orders a playlist's draws."""
        noise, windows = self._noise, self._windows(themes)
        counts = themes.counts.ravel()
        number = np.arange(len(part)) - (np.cumsum(counts) - counts)[part]
        ids = themes.ids[part // PARTS]
        anchor = number // windows.run[part]
        anchors = -(-counts // windows.run)[part]
        # One draw a stratum: windows are covered evenly, so the same track seldom comes twice.
        drawn = (anchor + noise.uniform("draw", ids, part % PARTS, anchor)) / anchors
        place = windows.place(part, drawn)
        for layout_number, layout in enumerate(self._layouts):
            if layout.cells is not None:
                rows = np.flatnonzero(windows.layout[part] == layout_number)
                place[rows] = _visit(
                    layout.cells, place[rows], part[rows], ids[rows], anchor[rows], noise
                )
        track = self._tracks_at(windows.layout[part], place)
        for attempt in range(_REDRAWS):
            rows = self._repeats(part // PARTS, track)
            # Further and further from the centre: a narrow window may be used up.
            away = noise.uniform("redraw", ids[rows], part[rows] % PARTS, number[rows], attempt)
            place = windows.place(part[rows], 0.5 + 2**attempt * (away - 0.5))
            track[rows] = self._tracks_at(windows.layout[part[rows]], place)
        return track, self._order_keys(themes, part, drawn, number)

    def _tracks_at(self, layout: np.ndarray, place: np.ndarray) -> np.ndarray:
        track = np.empty(len(place), dtype=np.int32)
        for number, where in enumerate(self._layouts):
            rows = np.flatnonzero(layout == number)
            track[rows] = where.at(place[rows])
        return track

    def _repeats(self, playlist: np.ndarray, track: np.ndarray) -> np.ndarray:
        """Draws of what an earlier draw gave the playlist already."""
        _, first = np.unique(playlist * self._catalogue.n_tracks + track, return_index=True)
        repeats = np.ones(len(track), dtype=bool)
        repeats[first] = False
        return np.flatnonzero(repeats)

    def _order_keys(
        self, themes: Themes, part: np.ndarray, drawn: np.ndarray, number: np.ndarray
    ) -> np.ndarray:
        """Windows one after another, each from one end to the other, more or less shuffled."""
        noise = self._noise
        playlist, kind_of_part = np.divmod(part, PARTS)
        ids = themes.ids[playlist]
        windows = np.maximum((themes.counts[:, _THEME] > 0).sum(axis=1), 1)[playlist]
        drift = (kind_of_part + drawn) / windows
        drift = np.where(
            kind_of_part < _HITS, drift, noise.uniform("slot", ids, part % PARTS, number)
        )
        disorder = np.array([0.02, 0.15, 5.0])[
            noise.choice(np.array([2, 1, 1]), "disorder", themes.ids)
        ]
        return drift + disorder[playlist] * noise.normal("shuffle", ids, kind_of_part, number)

    def _wide(self, playlist: np.ndarray, track: np.ndarray) -> pa.Table:
        """Entries with all that is known of their tracks."""
        starts = np.searchsorted(playlist, playlist, side="left")
        tracks, row = np.unique(track, return_inverse=True)
        row = pa.array(row.astype(np.int32))
        columns = {name: column.take(row) for name, column in self.describe(tracks).items()}
        columns["playlist"] = pa.array(playlist)
        columns["position"] = pa.array(np.arange(len(playlist)) - starts)
        return complete(columns, BATCH_ENTRIES, len(playlist))

    def describe(self, tracks: np.ndarray) -> dict[str, pa.Array]:
        """Columns of `TRACK_FIELDS` for these track ids."""
        catalogue, names = self._catalogue, self._names
        artist = catalogue.artist[tracks]
        artists, artist_row = np.unique(artist, return_inverse=True)
        columns = {
            "uri": uris("track", tracks),
            "title": names.titles(tracks),
            "artist": names.artists(artists).take(pa.array(artist_row)),
            "artist_uri": uris("artist", artists).take(pa.array(artist_row)),
            "album": names.albums(tracks),
            "genre": pa.array(STYLE_NAMES).take(pa.array(catalogue.style[artist])),
        }
        numbers = {
            "duration_ms": catalogue.duration(tracks),
            "year": catalogue.year(tracks),
            "popularity": catalogue.popularity(tracks),
            "explicit": catalogue.explicit(tracks),
            **catalogue.audio(tracks),
        }
        columns |= {name: pa.array(values) for name, values in numbers.items()}
        for name, gaps in catalogue.missing(tracks).items():
            column = columns[name]
            columns[name] = pc.if_else(pa.array(gaps), pa.scalar(None, column.type), column)
        return columns

    def _playlists(self, themes: Themes, playlist: np.ndarray, track: np.ndarray) -> pa.Table:
        noise, ids = self._noise, themes.ids
        starts = np.searchsorted(playlist, np.arange(len(ids)))
        newest = np.maximum.reduceat(self._catalogue.year(track).astype(float), starts)
        # Not before the newest track was out, nor before there was streaming.
        earliest = np.maximum((newest - 1970) * _YEAR_SECONDS, _STREAMING)
        modified = earliest + (_NOW - earliest) * noise.uniform("modified", ids) ** 1.5
        followers = 1 + np.floor(0.5 * (noise.uniform("followers", ids) ** -0.8 - 1))
        begun = np.maximum(
            modified - 2 * _YEAR_SECONDS * noise.normal("begun", ids) ** 2, _STREAMING
        )
        artist = self._mode_artist(playlist, track)
        columns = {
            "source_id": uris("playlist", ids),
            "title": pa.array(self._titles(themes, artist, begun), pa.string()),
            "followers": pa.array(followers.astype(np.int64)),
            "modified": pa.array(modified.astype(np.int64)),
        }
        return complete(columns, BATCH_PLAYLISTS, len(ids))

    def _mode_artist(self, playlist: np.ndarray, track: np.ndarray) -> np.ndarray:
        """Each playlist's most frequent artist."""
        n_artists = len(self._catalogue.artists)
        pairs, counts = np.unique(
            playlist * n_artists + self._catalogue.artist[track], return_counts=True
        )
        order = np.lexsort((counts, pairs // n_artists))
        last = np.flatnonzero(np.diff(pairs[order] // n_artists, append=-1))
        return pairs[order][last] % n_artists

    def _titles(self, themes: Themes, artist: np.ndarray, begun: np.ndarray) -> list[str | None]:
        scene, other_scene, eras, moods, _ = self._layouts
        place = themes.place[:, 0]
        style = np.where(themes.layout == 1, other_scene.region_at(place), scene.region_at(place))
        topics = zip(
            [KINDS[kind] for kind in themes.kind],
            [STYLE_NAMES[number] for number in style],
            [FAMILY_NAMES[number] for number in FAMILY_OF_STYLE[style]],
            [MOOD_NAMES[number] for number in moods.region_at(place)],
            self._names.artists(artist).to_pylist(),
            self._catalogue.year(eras.at(place)).tolist(),
            [datetime.fromtimestamp(seconds, UTC) for seconds in begun.tolist()],
            strict=True,
        )
        chances = self._noise.uniform("title", themes.ids[:, None], np.arange(8)).tolist()
        return [called(Topic(*topic), row) for topic, row in zip(topics, chances, strict=True)]


def _visit(
    cells: np.ndarray,
    place: np.ndarray,
    part: np.ndarray,
    ids: np.ndarray,
    anchor: np.ndarray,
    noise: Noise,
) -> np.ndarray:
    """Spread each stay in a cell evenly over the cell, so that it gives different tracks.

    The start within the cell is uniform and further draws follow at the golden ratio, so each is
    uniform by itself.
    """
    cell = np.searchsorted(cells[1:-1], place, side="right")
    row = np.arange(len(place))
    arrives = (np.diff(cell, prepend=-1) != 0) | (np.diff(part, prepend=-1) != 0)
    arrival = np.maximum.accumulate(np.where(arrives, row, 0))
    start = noise.uniform("visit", ids[arrival], part[arrival] % PARTS, anchor[arrival])
    inside = (start + (row - arrival) * _GOLDEN) % 1.0
    return cells[cell] + (cells[cell + 1] - cells[cell]) * inside

"""Artists and tracks in a space of styles: everything about them but their names.

Arrays of the whole catalogue hold only what drawing playlists needs; the rest of a track (audio
features, popularity, year) is computed for the tracks that are asked for.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.dataset.schema import AUDIO_FEATURES
from core.dataset.sources.simulated.law import CountLaw
from core.dataset.sources.simulated.noise import Noise
from core.dataset.sources.simulated.words import EMPHASIS, STYLES, VERSION_SHARES, VERSIONS

STYLE_NAMES = tuple(name for styles in STYLES.values() for name, _, _ in styles)
FAMILY_NAMES = tuple(STYLES)
FAMILY_OF_STYLE = np.repeat(np.arange(len(STYLES)), [len(styles) for styles in STYLES.values()])
_SHARES = np.array([share for styles in STYLES.values() for _, share, _ in styles]) ** 0.7
_MEANS = np.array([means for styles in STYLES.values() for _, _, means in styles])
(_ENERGY, _VALENCE, _DANCE, _ACOUSTIC, _INSTRUMENTAL, _SPEECH, _TEMPO, _YEAR, _SPREAD) = _MEANS.T

FIRST_YEAR, LAST_YEAR = 1926, 2024
CROSSOVER_SHARE = 0.22
"""Of all entries: what hits get beyond their own style's listeners."""

_VERSION_SHARE = 0.07
_ARTIST_SIZE = (1.45, 1.05)
"""Lognormal number of tracks of an artist: median 4, mean 7 (Million Playlist Dataset: 7.6)."""
_GUESTS = (0.30, 0.10)
"""Shares of artists who are also heard as of another style of their family, and of any."""
_FEWEST_IN_CELL = 6
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Layout:
    """Tracks side by side on the unit interval, each as wide as its share of entries.

    A playlist draws from windows whose centre is uniform within a region; so the whole keeps to
    the law of counts however narrow the windows are, and tracks that lie near co-occur.

    Attributes
    ----------
    order : int32 array, shape (m,)
        Track ids from left to right.
    ends : float64 array, shape (m,)
        Each track's right end; the last is 1.
    regions : float64 array, shape (r + 1,)
        Borders within which windows wrap around: styles, families or moods.
    crowding : float64 array, shape (r,)
        The widest track's share of its region: a window narrower than this times the number of
        draws would hold a track twice.
    cells : float64 array, shape (c + 1,), or None
        Borders of small neighbourhoods: an artist, or a few small ones of one scene.
    """

    order: np.ndarray
    ends: np.ndarray
    regions: np.ndarray
    crowding: np.ndarray
    cells: np.ndarray | None = None

    def at(self, place: np.ndarray) -> np.ndarray:
        """Track ids at places in [0, 1), int32."""
        return self.order[np.minimum(self.ends.searchsorted(place, "right"), len(self.order) - 1)]

    def region_at(self, place: np.ndarray) -> np.ndarray:
        """The region that holds each place, int64."""
        return np.searchsorted(self.regions[1:-1], place, side="right")


def _layout(
    order: np.ndarray,
    weight: np.ndarray,
    region: np.ndarray,
    n_regions: int,
    artist: np.ndarray | None = None,
) -> Layout:
    """Lay tracks out; `weight`, `region` and `artist` are by track id, regions rise in order."""
    width = weight[order]
    ends = np.cumsum(width)
    ends /= ends[-1]
    sizes = np.bincount(region[order], width, n_regions)
    widest = np.zeros(n_regions)
    np.maximum.at(widest, region[order], width)
    regions = np.concatenate([[0.0], np.cumsum(sizes)])
    crowding = np.divide(widest, sizes, out=np.ones(n_regions), where=sizes > 0)
    cells = None
    if artist is not None:
        starts = _cell_starts(artist[order], width, region[order], widest)
        cells = np.concatenate([[0.0], ends[starts[1:] - 1], [1.0]])
    return Layout(order.astype(np.int32), ends, regions / regions[-1], crowding, cells)


def _cell_starts(
    artist: np.ndarray, width: np.ndarray, region: np.ndarray, widest: np.ndarray
) -> np.ndarray:
    """Where cells start: whole artists, pooled until a cell has room for several draws."""
    starts = np.flatnonzero(np.diff(artist, prepend=-1))
    tracks = np.diff(starts, append=len(artist))
    room = np.minimum(
        tracks / _FEWEST_IN_CELL,
        np.add.reduceat(width, starts) / (4 * np.maximum(widest[region[starts]], 1e-300)),
    )
    # A new cell wherever the room before passes a whole number, and at each region.
    room = np.minimum(room, 1.0)
    filled = np.floor(np.cumsum(room) - room + 1e-9)
    new = (np.diff(filled, prepend=-1) > 0) | (np.diff(region[starts], prepend=-1) != 0)
    return starts[new]


class Catalogue:
    """All artists and tracks; a pure function of the law and the seed.

    Parameters
    ----------
    law : CountLaw
    noise : Noise

    Attributes
    ----------
    rate : float64 array, shape (n_tracks,)
        Expected number of playlists that hold each track.
    artist : int32 array, shape (n_tracks,)
        An artist's tracks are neighbours.
    style : int8 array, shape (n_artists,)
    root : int32 array, shape (n_tracks,)
        The track that a track is a version of; itself for an original.
    """

    def __init__(self, law: CountLaw, noise: Noise) -> None:
        self.noise = noise
        self._invent_artists(law.size)
        self._invent_tracks(law)

    def _invent_artists(self, n_tracks: int) -> None:
        location, scale = _ARTIST_SIZE
        many = np.arange(n_tracks // 3 + 1)
        sizes = np.exp(location + scale * self.noise.normal("artist size", many))
        sizes = np.clip(sizes.astype(np.int64), 1, max(8, n_tracks // 200))
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        n_artists = int(np.searchsorted(self.starts, n_tracks))
        self.starts = np.append(self.starts[:n_artists], n_tracks)
        self.artists = np.arange(n_artists)
        self.style = self.noise.choice(_SHARES, "style", self.artists).astype(np.int8)
        self.debut = self._debuts()
        self.career = np.ceil(-9 * np.log(self.noise.uniform("career", self.artists))).astype(
            np.int16
        )

    def _debuts(self) -> np.ndarray:
        spread = self.noise.normal("debut", self.artists)
        debut = np.rint(_YEAR[self.style] - 4 + _SPREAD[self.style] * spread)
        # Reflected, so that the present is no pile of debuts.
        debut = np.where(debut > LAST_YEAR - 1, 2 * (LAST_YEAR - 1) - debut, debut)
        return np.clip(debut, FIRST_YEAR, LAST_YEAR - 1).astype(np.int16)

    def _invent_tracks(self, law: CountLaw) -> None:
        sizes = np.diff(self.starts)
        tracks = np.arange(law.size)
        self.artist = np.repeat(self.artists, sizes).astype(np.int32)
        first = np.zeros(law.size, dtype=bool)
        first[self.starts[:-1]] = True
        original = first | (self.noise.uniform("version", tracks) > _VERSION_SHARE)
        self.root = np.maximum.accumulate(np.where(original, tracks, 0)).astype(np.int32)
        appeal = 1.2 * self.noise.normal("fame", self.artists)[self.artist]
        appeal += self.noise.normal("appeal", tracks) - 1.3 * ~original
        self.rate = np.empty(law.size)
        self.rate[np.argsort(-appeal, kind="stable")] = law.at(np.arange(1.0, law.size + 1))

    @property
    def n_tracks(self) -> int:
        return len(self.artist)

    @cached_property
    def home(self) -> np.ndarray:
        """The part of each rate that its own style's listeners give, float64.

        The widest tracks of a style are cut at a multiple of it, the same for every style, such
        that the crossover share of all entries is cut.
        """
        style = self.style[self.artist]
        size = np.bincount(style, self.rate, len(STYLE_NAMES))[style]
        low, high = 0.0, 1.0
        for _ in range(40):
            cut = (low + high) / 2
            kept = np.minimum(self.rate, cut * size).sum() / self.rate.sum()
            low, high = (cut, high) if kept < 1 - CROSSOVER_SHARE else (low, cut)
        return np.minimum(self.rate, high * size)

    @cached_property
    def scenes(self) -> tuple[Layout, Layout]:
        """Two orders of artists, style by style; in the second some are guests in other styles."""
        return self._scene("scene", self.style), self._scene("other scene", self._guest_style())

    def _scene(self, purpose: str, style: np.ndarray) -> Layout:
        artists = np.lexsort((self.noise.uniform(purpose, self.artists), style))
        order = np.argsort(np.argsort(artists)[self.artist], kind="stable")
        return _layout(order, self.home, style[self.artist], len(STYLE_NAMES), self.artist)

    def _guest_style(self) -> np.ndarray:
        """Where artists are also at home: in their style, its family, or anywhere."""
        stays, in_family = 1 - sum(_GUESTS), _GUESTS[0]
        drawn = self.noise.uniform("guest", self.artists)
        style = self.noise.choice(_SHARES, "guest anywhere", self.artists)
        style[drawn < stays] = self.style[drawn < stays]
        guests = (drawn >= stays) & (drawn < stays + in_family)
        for family in range(len(FAMILY_NAMES)):
            rows = np.flatnonzero(guests & (FAMILY_OF_STYLE[self.style] == family))
            shares = np.where(family == FAMILY_OF_STYLE, _SHARES, 0)
            style[rows] = self.noise.choice(shares, "guest in family", self.artists[rows])
        return style

    @cached_property
    def eras(self) -> Layout:
        """Family by family, from the oldest track to the newest."""
        family = FAMILY_OF_STYLE[self.style][self.artist]
        order = np.lexsort((self.year(np.arange(self.n_tracks)), family))
        return _layout(order, self.home, family, len(FAMILY_NAMES))

    @cached_property
    def moods(self) -> Layout:
        """Mood by mood, and style by style within a mood."""
        tracks = np.arange(self.n_tracks)
        mood = np.concatenate([
            self._mood(tracks[start : start + _CHUNK]) for start in range(0, len(tracks), _CHUNK)
        ])  # fmt: skip
        order = np.lexsort((self.style[self.artist], mood))
        return _layout(order, self.home, mood, len(EMPHASIS))

    @cached_property
    def hits(self) -> Layout:
        """What crosses over, family by family and year by year."""
        excess = self.rate - self.home
        tracks = np.flatnonzero(excess > 0)
        family = FAMILY_OF_STYLE[self.style][self.artist]
        order = tracks[np.lexsort((self.year(tracks), family[tracks]))]
        return _layout(order, excess, family, len(FAMILY_NAMES))

    def album(self, tracks: np.ndarray) -> np.ndarray:
        """The first track of each track's album, int64: an album's identity."""
        artist = self.artist[tracks]
        start = self.starts[artist]
        size = 5 + (self.noise.bits("album size", artist) % np.uint64(9)).astype(np.int64)
        return start + (self.root[tracks] - start) // size * size

    def year(self, tracks: np.ndarray) -> np.ndarray:
        """Year of release, int16: an artist's albums are spread over its active years."""
        artist = self.artist[tracks]
        start, stop = self.starts[artist], self.starts[artist + 1]
        passed = (self.album(tracks) - start + 0.5) / (stop - start)
        years = self.debut[artist] + np.floor(passed * self.career[artist])
        return np.minimum(years, LAST_YEAR).astype(np.int16)

    def version(self, tracks: np.ndarray) -> np.ndarray:
        """Index into `VERSIONS`, int64; -1 for originals."""
        family = FAMILY_OF_STYLE[self.style[self.artist[tracks]]]
        kinds = np.full(len(tracks), -1)
        for number, name in enumerate(FAMILY_NAMES):
            rows = np.flatnonzero((family == number) & (self.root[tracks] != tracks))
            shares = np.array(VERSION_SHARES.get(name, VERSION_SHARES[""]))
            kinds[rows] = self.noise.choice(shares, "version kind", tracks[rows])
        return kinds

    def audio(self, tracks: np.ndarray) -> dict[str, np.ndarray]:
        """The audio features in their units, without gaps, float64 arrays by name."""
        artist, root = self.artist[tracks], self.root[tracks]
        style = self.style[artist]
        kind = self.version(tracks)
        live = np.isin(kind, [VERSIONS.index("live"), VERSIONS.index("live at")])
        unplugged = kind == VERSIONS.index("acoustic")

        def normal(name: str) -> np.ndarray:
            """Half from the artist, the rest from the song and a little from the recording."""
            return (
                0.6 * self.noise.normal(name, artist, 1)
                + 0.75 * self.noise.normal(name, root, 2)
                + 0.28 * self.noise.normal(name, tracks, 3)
            )

        def share(name: str, mean: np.ndarray, spread: float) -> np.ndarray:
            return 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + spread * normal(name))))

        energy = share("energy", np.where(unplugged, _ENERGY[style] * 0.5, _ENERGY[style]), 0.6)
        acoustic = np.where(unplugged, 0.85, _ACOUSTIC[style])
        # Instrumental or sung, seldom in between.
        without_voice = self.noise.uniform("voice", root) < _INSTRUMENTAL[style]
        tempo = _TEMPO[style] * np.exp(0.14 * normal("tempo"))
        major = self.noise.uniform("mode", root) < 0.45 + 0.35 * _VALENCE[style]
        return {
            "danceability": share("danceability", _DANCE[style], 0.45),
            "energy": energy,
            "key": self._key(root, major),
            "loudness": np.clip(-20 + 16 * energy + 1.6 * normal("loudness"), -45, 0),
            "mode": major.astype(float),
            "speechiness": share("speechiness", _SPEECH[style], 0.5),
            "acousticness": share("acousticness", acoustic, 1.1),
            "instrumentalness": np.where(
                without_voice,
                share("instrumentalness", np.full(len(tracks), 0.86), 0.5),
                share("instrumentalness", np.full(len(tracks), 0.002), 2.0),
            ),
            "liveness": share("liveness", np.where(live, 0.78, 0.14), 0.6),
            "valence": share("valence", _VALENCE[style], 0.75),
            "tempo": np.clip(tempo, 45, 215),
        }

    def _key(self, root: np.ndarray, major: np.ndarray) -> np.ndarray:
        """Pitch class, 0 is C: guitars like G, D, A, C and E minor."""
        in_major = np.array([10, 6, 11, 3, 7, 6, 4, 12, 5, 9, 4, 5], dtype=float)
        in_minor = np.array([6, 7, 6, 4, 9, 7, 8, 6, 6, 10, 6, 11], dtype=float)
        return np.where(
            major,
            self.noise.choice(in_major, "key", root),
            self.noise.choice(in_minor, "key", root),
        ).astype(float)

    def _mood(self, tracks: np.ndarray) -> np.ndarray:
        """The mood that each track suits best, int8."""
        audio = self.audio(tracks)
        columns = ("energy", "valence", "danceability", "acousticness", "instrumentalness", "tempo")
        # Centre and scale of the whole range of styles, not of the sample at hand.
        centre = np.array([0.59, 0.52, 0.60, 0.33, 0.23, 117])
        scale = np.array([0.24, 0.23, 0.18, 0.33, 0.36, 26])
        features = (np.stack([audio[name] for name in columns], axis=1) - centre) / scale
        scores = features @ np.array(list(EMPHASIS.values())).T
        chance = self.noise.uniform("mood", tracks[:, None], np.arange(len(EMPHASIS)))
        return np.argmax(scores - 0.5 * np.log(-np.log(chance)), axis=1).astype(np.int8)

    def popularity(self, tracks: np.ndarray) -> np.ndarray:
        """From 0 to 100, falling with the rarity of a track, with noise, float64."""
        level = np.log1p(self.rate[tracks]) / np.log1p(self.rate.max())
        return np.clip(np.rint(92 * level**1.3 + 5 * self.noise.normal("hype", tracks)), 0, 100)

    def explicit(self, tracks: np.ndarray) -> np.ndarray:
        """Whether the words are explicit, bool: more often the more a style speaks.

        Versions of a song are alike but for radio edits, which are clean.
        """
        style = self.style[self.artist[tracks]]
        sung = 1 - _INSTRUMENTAL[style]
        share = sung / (1 + np.exp(-20 * (_SPEECH[style] - 0.2)))
        marked = self.noise.uniform("explicit", self.root[tracks]) < share
        return marked & (self.version(tracks) != VERSIONS.index("radio edit"))

    def duration(self, tracks: np.ndarray) -> np.ndarray:
        """Milliseconds, int64: lognormal around 3:40, longer without a voice, shorter on radio."""
        style = self.style[self.artist[tracks]]
        kind = self.version(tracks)
        minutes = 3.45 + 1.4 * _INSTRUMENTAL[style] - 0.8 * (_YEAR[style] > 2015)
        own = self.noise.normal("length", self.root[tracks])
        own = 0.24 * own + 0.03 * self.noise.normal("cut", tracks)
        factor = np.ones(len(VERSIONS) + 1)
        factor[[VERSIONS.index(name) for name in ("radio edit", "extended", "live")]] = (
            0.8, 1.6, 1.15,
        )  # fmt: skip
        length = minutes * factor[kind] * np.exp(own)
        return np.rint(np.clip(length, 0.6, 24) * 60_000).astype(np.int64)

    def missing(self, tracks: np.ndarray) -> dict[str, np.ndarray]:
        """Which fields nobody knows of each track, bool arrays by field name."""
        shares = {
            "genre": 0.12,
            "year": 0.04,
            "popularity": 0.03,
            "explicit": 0.05,
            "album": 0.02,
            "duration_ms": 0.01,
        }
        gaps = {
            field: self.noise.uniform(f"no {field}", tracks) < share
            for field, share in shares.items()
        }
        unheard = self.noise.uniform("no audio", tracks) < 0.12
        for field in AUDIO_FEATURES:
            gaps[field] = unheard | (self.noise.uniform(f"no {field}", tracks) < 0.004)
        return gaps

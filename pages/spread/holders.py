"""What holds entries, tracks or artists: how popular each is, and where those asked for stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import streamlit as st

from core.evaluation.metrics import gini_coefficient
from core.explore.figures import Kind, Mark
from core.explore.power_law import NoFit, PowerLawFit, fit_power_law
from core.explore.spread import (
    Curve,
    Histogram,
    artist_counts,
    ccdf,
    length_histogram,
    lorenz,
    rank_frequency,
    top_share,
)
from core.explore.standing import Standing
from pages.common import session, view
from pages.common.session import Version
from pages.common.view import Choice

PLURALS = {"track": "Tracks", "artist": "Artists"}
OF = Choice("popularity.of", "track", view.one_of(list(PLURALS), str))


@dataclass(frozen=True)
class Holders:
    """Tracks or artists by the number of playlists that hold them.

    Attributes
    ----------
    noun : {"track", "artist"}
    n, entries : int
        How many there are, and their places in playlists: an artist has one in a playlist.
    by_rank, by_share, lorenz : Curve
        See `core.explore.spread`.
    gini, top : float
        The Gini coefficient; the share of entries that the top 1 % hold.
    fit : PowerLawFit or NoFit
    """

    noun: str
    n: int
    entries: int
    by_rank: Curve
    by_share: Curve
    lorenz: Curve
    gini: float
    top: float
    fit: PowerLawFit | NoFit


@st.cache_resource(max_entries=8, show_spinner=False)
def holders(version: Version, noun: str) -> Holders:
    held = counts(version, noun)
    return Holders(
        noun,
        len(held),
        int(held.sum()),
        rank_frequency(held),
        ccdf(held),
        lorenz(held),
        gini_coefficient(held),
        top_share(held, 0.01),
        fit_power_law(held),
    )


def counts(version: Version, noun: str) -> np.ndarray:
    """Playlists that hold each track or artist, by id."""
    return session.dataset(version).counts if noun == "track" else _artist_counts(version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _artist_counts(version: Version) -> np.ndarray:
    opened = session.dataset(version)
    return artist_counts(opened.playlists, opened.artist, len(opened.artists))


@st.cache_resource(max_entries=4, show_spinner=False)
def _artist_standing(version: Version) -> Standing:
    return Standing(_artist_counts(version))


def marks(version: Version, found: Holders, kind: Kind, tracks: Sequence[int]) -> list[Mark]:
    """Where tracks, or their artists, fall; those in no playlist have no place on a log axis."""
    ids = np.array(tracks, np.int64)
    if found.noun == "track":
        names, standing = session.names(version, ids), session.standing(version)
    else:
        opened = session.dataset(version)
        of_tracks = opened.artist[ids]
        ids = np.array(list(dict.fromkeys(of_tracks[of_tracks >= 0].tolist())), np.int64)
        rows = opened.artists.select(["name", "uri"]).take(pa.array(ids)).to_pylist()
        names = [row["name"] or row["uri"] for row in rows]
        standing = _artist_standing(version)
    held = counts(version, found.noun)[ids].tolist()
    places = zip(names, standing.ranks(ids).tolist(), held, strict=True)
    return [Mark(kind, name, rank, count) for name, rank, count in places if count]


@st.cache_data(max_entries=8, show_spinner=False)
def lengths(version: Version) -> tuple[Histogram, float]:
    """Playlists by length, and the median length."""
    found = session.dataset(version).playlists.lengths
    return length_histogram(found), float(np.median(found))

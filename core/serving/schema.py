"""What goes over the wire: the API's description and its validation, from one set of classes."""

import re
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)

from core.dataset.dataset import Dataset
from core.dataset.links import SAID, spotify_link
from core.dataset.matching import Matcher, artists_named
from core.dataset.sources.lists import ListedTrack, parse_track
from core.errors import SegueError
from core.ordering import Dials
from core.query import Answer, Query

MOST_TRACKS, MOST_LETTERS, MOST_K, MOST_INSTANCES = 500, 1_000, 500, 64
"""Of one query: tracks of each kind, letters of a text, tracks to add; queries of a batch."""
MOST_EXPLAINED, MOST_ADDED, MOST_CREDITED = 50, 5_000, 50_000
"""Tracks that one query adds with reasons; that a batch adds; and of those with reasons, times the
seeds and likes that each is explained by. An answer then has some ten megabytes at most."""
_MOST_IN_A_NAME = 80

TOKEN = "SEGUE_API_TOKEN"  # noqa: S105  # a name
"""Names, in the environment, what callers have to show as bearer."""
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")


def bearer(token: str) -> str:
    """A token as callers can show it (RFC 6750, 2.1): without the end of its line.

    Raises
    ------
    SegueError
        If it has characters that a bearer token cannot have; the sentence does not show it.
    """
    shown = token.strip()
    if token and not _BEARER.fullmatch(shown):
        raise SegueError(
            f"{TOKEN} is no bearer token: it may have letters of ASCII, digits and - . _ ~ + /, "
            "and = at its end (RFC 6750)."
        )
    return shown


Text = Annotated[str, Field(min_length=1, max_length=MOST_LETTERS)]
Track = Annotated[
    Text,
    Field(
        description='A uri or link, a Spotify id, or "Artist - Title".',
        examples=["spotify:track:0RhGFlknkTRsaTHfQzNE01", "Nina Simone - Sinnerman"],
    ),
]
Tracks = Annotated[list[Track], Field(max_length=MOST_TRACKS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class DialsIn(_Strict):
    """What a listener may turn; see `core.ordering.Dials`."""

    one_version: bool = True
    per_artist: int | None = Field(default=None, ge=1, le=MOST_K)
    popularity: float = Field(
        default=0.0, ge=-1, le=1, description="From deep cuts to popular tracks."
    )
    adventure: float = Field(
        default=0.0, ge=-1, le=1, description="From near the seeds to far from them."
    )
    variety: float = Field(
        default=0.0, ge=0, le=1, description="Each track unlike those before it."
    )
    smooth: bool = Field(default=False, description="Small steps of tempo, key and energy.")
    explicit: bool = Field(default=True, description="false hides what is known to be explicit.")
    first_year: int | None = Field(default=None, ge=0, le=9999)
    last_year: int | None = Field(default=None, ge=0, le=9999)
    blocked_artists: list[Text] = Field(
        default_factory=list, max_length=MOST_TRACKS, description="Names as the dataset has them."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        first, last = self.first_year, self.last_year
        if first is not None and last is not None and first > last:
            raise ValueError(f"first_year is {first}, after last_year, {last}")
        return self

    def dials(self, dataset: Dataset) -> Dials:
        """The dials for this dataset; a SegueError for an artist that it has not."""
        years = (self.first_year, self.last_year)
        turned = self.model_dump(exclude={"first_year", "last_year", "blocked_artists"})
        return Dials(
            years=None if years == (None, None) else years,
            blocked_artists=tuple(artists_named(dataset, self.blocked_artists)),
            **turned,
        )


class QueryIn(_Strict):
    """A playlist to continue: its first tracks, its title, or both."""

    seeds: Tracks = Field(default_factory=list, description="The playlist's tracks, in order.")
    title: str | None = Field(default=None, max_length=MOST_LETTERS)
    k: int = Field(default=20, ge=1, le=MOST_K, description="Tracks to add.")
    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=_MOST_IN_A_NAME,
        description="One of `/api/models`; by default the first.",
    )
    dials: DialsIn = DialsIn()
    likes: Tracks = Field(default_factory=list, description="Tracks to steer towards.")
    dislikes: Tracks = Field(default_factory=list, description="Tracks to steer away from.")
    reasons: bool = Field(
        default=False, description=f"Also say why, of {MOST_EXPLAINED} tracks at most."
    )

    @model_validator(mode="after")
    def _explicable(self) -> Self:
        if self.reasons and self.k > MOST_EXPLAINED:
            raise ValueError(f"k is {self.k}; with reasons it is at most {MOST_EXPLAINED}")
        return self

    @property
    def credited(self) -> int:
        """Tracks times what each is explained by; 0 without reasons."""
        return self.k * (len(self.seeds) + len(self.likes)) if self.reasons else 0

    def query(self, dataset: Dataset, matcher: Matcher) -> Query:
        """The query on this dataset; a SegueError that names what is no track or artist."""
        return Query(
            seeds=matcher.match(_listed("seeds", self.seeds, dataset)),
            title=self.title,
            k=self.k,
            model=self.model,
            dials=self.dials.dials(dataset),
            likes=matcher.match(_listed("likes", self.likes, dataset)),
            dislikes=matcher.match(_listed("dislikes", self.dislikes, dataset)),
            reasons=self.reasons,
        )


class BatchIn(_Strict):
    """Several queries, as clients of TensorFlow Serving and SageMaker send them."""

    instances: list[QueryIn] = Field(min_length=1, max_length=MOST_INSTANCES)
    signature_name: str | None = Field(
        default=None,
        max_length=MOST_LETTERS,
        description="Changes nothing: TensorFlow Serving's has it.",
    )

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        added = sum(one.k for one in self.instances)
        if added > MOST_ADDED:
            raise ValueError(f"they ask for {added:,} tracks; at most {MOST_ADDED:,} at once")
        credited = sum(one.credited for one in self.instances)
        if credited > MOST_CREDITED:
            raise ValueError(
                f"with reasons, tracks times seeds and likes come to {credited:,}; at most "
                f"{MOST_CREDITED:,} at once"
            )
        return self


def _shape(body: Any) -> str:
    return "batch" if isinstance(body, dict) and "instances" in body else "query"


Invocation = Annotated[
    Annotated[QueryIn, Tag("query")] | Annotated[BatchIn, Tag("batch")], Discriminator(_shape)
]
INVOCATION: TypeAdapter[QueryIn | BatchIn] = TypeAdapter(Invocation)


def body_schema(reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """JSON schema of an `INVOCATION`, and its parts by name, which are referred to like this."""
    whole = INVOCATION.json_schema(ref_template=reference)
    return {"schema": whole}, whole.pop("$defs")


class TrackOut(BaseModel):
    """A track that plays next."""

    rank: int = Field(description="From 1.")
    uri: str
    title: str | None
    artist: str | None
    score: float = Field(description="Orders the tracks of one answer, and says little else.")
    why: dict[str, Any] | None = Field(default=None, description="Where reasons were asked for.")


class Prediction(BaseModel):
    """What plays next, first to last."""

    tracks: list[TrackOut]
    notes: list[str] = Field(description="Sentences on how it was made, where not obvious.")
    not_found: list[str] = Field(description="Tracks of the query that the dataset has not.")


class Predictions(BaseModel):
    """Answers to `instances`, in their order."""

    predictions: list[Prediction]


def prediction(answer: Answer) -> Prediction:
    """An answer as it goes over the wire."""
    plain = answer.as_json()
    tracks = [TrackOut(artist=track.pop("artist_name"), **track) for track in plain["tracks"]]
    return Prediction(
        tracks=tracks,
        notes=plain["notes"],
        not_found=[track.uri or f"{track.artist} - {track.title}" for track in answer.not_found],
    )


def _listed(field: str, texts: list[str], dataset: Dataset) -> list[ListedTrack]:
    return [
        ListedTrack(text, None, None, None, None, line)
        if track >= 0
        else _parsed(field, line, text)
        for line, (text, track) in enumerate(zip(texts, dataset.ids_of(texts), strict=True), 1)
    ]


def _parsed(field: str, line: int, text: str) -> ListedTrack:
    link = spotify_link(text)
    if link and link.kind != "track":
        raise SegueError(
            f"{field}[{line - 1}]: {text[:80]!r} is a link to {SAID[link.kind]}, not to a track: "
            "give its tracks."
        )
    track = parse_track(text, line)
    if track is None:
        raise SegueError(
            f'{field}[{line - 1}]: {text[:80]!r} is no uri, link, Spotify id or "Artist - Title".'
        )
    return track


class Found(BaseModel):
    """A track or an artist that a search found."""

    uri: str
    name: str | None
    artist: str | None = Field(default=None, description="Of a track.")
    playlists: int | None = Field(default=None, description="That hold the track.")


class Matches(BaseModel):
    results: list[Found] = Field(description="Best first.")


class ModelOut(BaseModel):
    """What `model` of a query may name."""

    name: str
    label: str
    default: bool
    source: str = Field(description="The publication that defines it.")


class Models(BaseModel):
    dataset: str
    simulated: bool = Field(description="Whether its playlists, tracks and artists are invented.")
    models: list[ModelOut]


class Problem(BaseModel):
    """RFC 9457, problem details."""

    title: str
    status: int
    detail: str

"""Sources of audio features, asked by Spotify's ids.

A further source is one class and one line of `SOURCES`. Joining a file needs none of this: see
`core.dataset.audio_features`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from core.dataset.joins import Origin
from core.dataset.links import Link, spotify_link
from core.spotify.client import MOST_FEATURES, Client, Settings
from core.spotify.enrichment.answers import features_answer
from core.spotify.enrichment.notebook import Answer
from core.spotify.errors import BrokenAnswerError, NoCredentialsError
from core.spotify.health import Patience, health_of


class FeatureSource(ABC):
    """A service that knows audio features of tracks.

    Parameters
    ----------
    settings : Settings
    patience : Patience
    waiting : callable
        Sleeps so many seconds.

    Attributes
    ----------
    origin : Origin
        Its name and what may be done with what it knows.
    about : str
        What it is good for, in a sentence.
    most_ids : int
        Ids of one request.
    client : Client or None
        To ask what else is known of tracks and artists, where this source knows it.
    app : str
        Whom it answers or refuses; empty where it answers all alike.

    Raises
    ------
    SegueError
        If it cannot be asked with these settings.
    """

    origin: ClassVar[Origin]
    about: ClassVar[str]
    most_ids: ClassVar[int]
    client: Client | None = None
    app: str = ""

    @abstractmethod
    def __init__(
        self, settings: Settings, patience: Patience, waiting: Callable[[float], None]
    ) -> None: ...

    @classmethod
    def needed(cls, settings: Settings) -> str | None:
        """What is missing before it can be asked, in a sentence; None where nothing is."""
        return None

    @abstractmethod
    def audio_features(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """Audio features of tracks, by id; what nothing is known of may be left out.

        Parameters
        ----------
        ids : sequence of str
            Of Spotify tracks, distinct, at most `most_ids`.

        Raises
        ------
        SpotifyError
        """


class ReccoBeats(FeatureSource):
    """https://reccobeats.com/docs/apis/get-audio-features; asks for no key."""

    origin = Origin(
        "ReccoBeats",
        "ReccoBeats gives audio features away and names no licence (https://reccobeats.com).",
    )
    about = "Audio features, without a key or an account."
    most_ids = 40

    def __init__(
        self, settings: Settings, patience: Patience, waiting: Callable[[float], None]
    ) -> None:
        from core.spotify.http import Session

        health = health_of(settings.reccobeats, self.origin.source)
        self._session = Session(self.origin.source, health, patience, waiting)
        self._address = f"{settings.reccobeats}/audio-features"

    def audio_features(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """See `FeatureSource.audio_features`; a track is known by the link beside its features."""
        links = [Link("track", each) for each in ids]
        wanted = ",".join(link.id for link in links)
        content = self._session.get_json(self._address, ids=wanted).get("content")
        if not isinstance(content, list):
            raise BrokenAnswerError(self.origin.source, "no list of audio features")
        found = {}
        for each in content:
            href = each.get("href") if isinstance(each, Mapping) else None
            link = spotify_link(href) if isinstance(href, str) else None
            if link and link in links:
                found[link.id] = features_answer(each)
        return found


class Spotify(FeatureSource):
    """Spotify's Web API, with an app's own credentials."""

    origin = Origin(
        "Spotify",
        "What comes from Spotify must not be used to train models "
        "(https://developer.spotify.com/terms).",
    )
    about = (
        "Albums, years, durations, explicit flags and artists' genres; audio features, popularity "
        "and followers only for apps with an extended quota."
    )
    most_ids = MOST_FEATURES
    client: Client

    def __init__(
        self, settings: Settings, patience: Patience, waiting: Callable[[float], None]
    ) -> None:
        self.client = Client(settings, patience=patience, waiting=waiting)
        self.app = settings.client_id or ""

    @classmethod
    def needed(cls, settings: Settings) -> str | None:
        """An app's credentials."""
        return None if settings.has_app else str(NoCredentialsError(*settings.missing))

    def audio_features(self, ids: Sequence[str]) -> Mapping[str, Answer]:
        """See `FeatureSource.audio_features`; closed to apps in development mode."""
        found = self.client.audio_features(ids)
        return {each: features_answer(raw) for each, raw in zip(ids, found, strict=True)}


SOURCES: Mapping[str, type[FeatureSource]] = {"reccobeats": ReccoBeats, "spotify": Spotify}
"""By the name that the command line gives them; those that need nothing come first."""

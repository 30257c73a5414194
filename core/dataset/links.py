"""What a Spotify link is: the one place that reads them and checks ids.

Ids are base 62, URIs and ids as in
https://developer.spotify.com/documentation/web-api/concepts/spotify-uris-ids.
"""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from core.errors import SegueError

Kind = Literal["track", "album", "artist", "playlist"]

ID = "[0-9A-Za-z]{22}"
"""Of anything that Spotify holds, as a pattern of any kind of regular expression."""
_KINDS = get_args(Kind)
_ANY_KIND = "|".join(_KINDS)
_LINK = re.compile(
    rf"""
    (?<![\w.@/-])                                   # no part of another host, path or word
    (?: (?:https?://)?open\.spotify\.com/
        (?:intl-[a-z-]+/)? (?:embed/)? (?:user/[^\s/?\#]+/(?=playlist/))?
        (?P<page>{_ANY_KIND}) / (?P<page_id>{ID})
      | spotify: (?:user:[^\s:]+:(?=playlist:))?
        (?P<uri>{_ANY_KIND}) : (?P<uri_id>{ID})
    )
    (?![0-9A-Za-z])
    """,
    re.IGNORECASE | re.ASCII | re.VERBOSE,
)
_REST = re.compile(r"/?(?:[?#]\S*)?")
_ANY_LINK = re.compile(r"\bspotify\.(?:com|link)/|\bspotify:[a-z]+:", re.IGNORECASE | re.ASCII)
_TRACK = "spotify:track:"
_ADDRESS = re.compile(r"https?://\S*|(?:[\w-]+\.)*spotify\.(?:com|link)/\S*|spotify:\S*", re.I)
_HOSTS = re.compile(r"(?:[\w-]+\.)*spotify\.(?:com|link)", re.ASCII)
_NAMED = re.compile(
    rf"[:/]({_ANY_KIND}|show|episode|audiobook|user)[:/]([^:/?\#]*)", re.IGNORECASE | re.ASCII
)
_WANTED = "paste one to a track, an album, an artist or a playlist"

SAID = {
    "track": "a track",
    "album": "an album",
    "artist": "an artist",
    "playlist": "a playlist",
    "show": "a podcast",
    "episode": "a podcast episode",
    "audiobook": "an audiobook",
    "user": "a profile",
}
"""What a link is to, in words."""


@dataclass(frozen=True)
class Link:
    """One thing that Spotify holds.

    Attributes
    ----------
    kind : {"track", "album", "artist", "playlist"}
    id : str
        22 letters of base 62.

    Raises
    ------
    SegueError
        If the id is none.
    """

    kind: Kind
    id: str

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise SegueError(f"{self.kind!r} is no kind of Spotify link that can be read.")
        if not is_id(self.id):
            raise SegueError(
                f"{self.id[:40]!r} is no id of Spotify's; an id is 22 letters and digits."
            )

    @property
    def uri(self) -> str:
        """As "spotify:playlist:…"."""
        return f"spotify:{self.kind}:{self.id}"

    @property
    def address(self) -> str:
        """As "https://open.spotify.com/playlist/…"."""
        return f"https://open.spotify.com/{self.kind}/{self.id}"


def spotify_link(text: str) -> Link | None:
    """The link or URI that a whole text is, None if it is anything else.

    >>> spotify_link("https://open.spotify.com/intl-pt/track/4iJyoBOLtHqaGxP12qzhQI?si=x")
    Link(kind='track', id='4iJyoBOLtHqaGxP12qzhQI')
    """
    text = text.strip()
    found = _LINK.match(text)
    return _link(found) if found and _REST.fullmatch(text, found.end()) else None


def unreadable(text: str) -> str | None:
    """Why an address cannot be read, in a sentence; None if it can be, or if the text is none.

    >>> unreadable("spotify:show:4iJyoBOLtHqaGxP12qzhQI")
    'This link is to a podcast; paste one to a track, an album, an artist or a playlist.'
    """
    text = text.strip()
    if not _ADDRESS.fullmatch(text) or spotify_link(text):
        return None
    host = "spotify.com" if text.lower().startswith("spotify:") else _host(text)
    if not _HOSTS.fullmatch(host):
        return f"This link is to {host[:60] or 'nowhere'}, not to open.spotify.com; {_WANTED}."
    if host.endswith(".link"):
        return (
            "This short link does not say what it leads to; open it in a browser and paste the "
            "address that opens."
        )
    kind, named = [("", ""), *_NAMED.findall(text)][-1]
    kind = kind.lower()
    if kind not in _KINDS:
        return f"This link is to {SAID.get(kind, 'something else on Spotify')}; {_WANTED}."
    if is_id(named):
        better = Link(cast(Kind, kind), named).address
        return f"This link is not as Spotify writes it; paste {better} instead."
    wrong = f"“{named[:40]}” is no id of Spotify's, which is 22 letters and digits"
    wrong = wrong if named else "its id is missing"
    return f"This link to {SAID[kind]} is damaged: {wrong}; copy it again."


def _host(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def links_in(text: str) -> list[Link]:
    """Every link and URI in a text, in order."""
    return [_link(found) for found in _LINK.finditer(text)]


def names_spotify(text: str) -> bool:
    """Whether a text holds a link to Spotify of any kind, readable or not."""
    return _ANY_LINK.search(text) is not None


def is_id(text: str) -> bool:
    """Whether a text is formed as an id of Spotify's."""
    return re.fullmatch(ID, text) is not None


def track_id(uri: str) -> str | None:
    """The id of a real Spotify track's URI, None for any other URI."""
    shortened = uri.removeprefix(_TRACK)
    return shortened if shortened != uri and is_id(shortened) else None


def _link(found: re.Match[str]) -> Link:
    kind = (found["page"] or found["uri"]).lower()
    return Link(cast(Kind, kind), found["page_id"] or found["uri_id"])

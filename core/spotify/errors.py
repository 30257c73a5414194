"""What can go wrong between Segue and Spotify: one class and one sentence each.

No sentence repeats what a server wrote or what was sent to it: either may hold a secret.
"""

import math
import time
from datetime import datetime

from core.errors import SegueError

CLIENT_ID, CLIENT_SECRET = "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"
"""Variables of the environment that hold an app's credentials."""
_DASHBOARD = "https://developer.spotify.com/dashboard"


class SpotifyError(SegueError):
    """Anything that Spotify, or a service beside it, did not do.

    Attributes
    ----------
    until : float or None
        Where nothing is sent for a while: when that ends, in seconds since 1970.
    """

    until: float | None = None


class NoCredentialsError(SpotifyError):
    """Credentials of an app are not configured.

    Parameters
    ----------
    *missing : str
        Variables of the environment that would have to be set.
    doing : str
        What they are needed for.
    instead : str
        What would do as well; empty for nothing.
    """

    def __init__(self, *missing: str, doing: str = "Asking Spotify", instead: str = "") -> None:
        them = "it" if len(missing) == 1 else "them"
        super().__init__(
            f"{doing} needs the credentials of an app: set {' and '.join(missing)} as {_DASHBOARD} "
            f"shows {them} and start Segue again{f', or {instead}' if instead else ''}."
        )


class WrongCredentialsError(SpotifyError):
    """Credentials of an app that are not accepted."""

    def __init__(self) -> None:
        super().__init__(
            f"Spotify does not accept {CLIENT_ID} and {CLIENT_SECRET}; copy both again from "
            f"{_DASHBOARD} and start Segue again."
        )


class ExpiredError(SpotifyError):
    """The access that was given has ended and could not be renewed."""

    def __init__(
        self, sentence: str = "The sign-in to Spotify has expired or was withdrawn; sign in again."
    ) -> None:
        super().__init__(sentence)


class ForbiddenError(SpotifyError):
    """What an app in development mode, or this listener, may not do."""


class NotFoundError(SpotifyError):
    """What does not exist, or is private to somebody else."""


class RateLimitedError(SpotifyError):
    """Too many requests."""

    until: float

    def __init__(self, service: str, until: float) -> None:
        super().__init__(
            f"{service} takes no more requests from this app until {clock_time(until)}; "
            "try again then."
        )
        self.until = until


class OfflineError(SpotifyError):
    """No answer: no network, a time-out, a server in trouble."""

    def __init__(self, service: str, why: str, until: float | None = None) -> None:
        remedy = (
            "try again in a minute, and check the connection if it stays so"
            if until is None
            else f"nothing is sent until {clock_time(until)}, try again then"
        )
        super().__init__(f"{service} gives no answer ({why}); {remedy}.")
        self.until = until


class BrokenAnswerError(SpotifyError):
    """An answer that is not what the API documents."""

    def __init__(self, service: str, why: str) -> None:
        super().__init__(
            f"{service} sent an answer that cannot be read ({why}); try again, and check for "
            "a proxy or a sign-in page of the network if it stays so."
        )


class RefusedError(SpotifyError):
    """A request that was answered with an error of the 400s, but for 429.

    Attributes
    ----------
    status : int
    code : str
        The answer's `error` where that is a word of RFC 6749, section 5.2; else empty.
    """

    def __init__(self, service: str, status: int, code: str = "") -> None:
        named = f"{status}, {code}" if code else f"{status}"
        super().__init__(
            f"{service} refuses the request as it stands ({named}); if that stays so, look for a "
            "newer Segue."
        )
        self.status, self.code = status, code


def clock_time(moment: float) -> str:
    """The time of day of a moment where this runs, with its date unless that is today."""
    local = datetime.fromtimestamp(math.ceil(moment)).astimezone()
    today = datetime.fromtimestamp(time.time()).astimezone().date()
    return f"{local:%H:%M:%S %Z}" if local.date() == today else f"{local:%d %B %Y, %H:%M:%S %Z}"

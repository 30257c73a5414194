"""The app's own access token, by its client credentials: one for the whole process, in memory.

https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
"""

import threading
from collections.abc import Callable

from core.spotify.errors import BrokenAnswerError, RefusedError, WrongCredentialsError
from core.spotify.health import Patience, health_of


class _Kept:
    """One app's token, and who may fetch it."""

    def __init__(self) -> None:
        from core.spotify.http import spotipy

        self.cache = spotipy().MemoryCacheHandler()
        self.fetching = threading.Lock()


_kept: dict[tuple[str, str, str], _Kept] = {}
_lock = threading.Lock()


def forget_app_tokens() -> None:
    """Forget every token; the next one is fetched."""
    with _lock:
        _kept.clear()


class AppToken:
    """Gives the token and renews it.

    Parameters
    ----------
    accounts : str
        Address of the accounts service.
    client_id, client_secret : str
    patience : Patience
    waiting : callable
        Sleeps so many seconds.
    """

    def __init__(
        self,
        accounts: str,
        client_id: str,
        client_secret: str,
        patience: Patience,
        waiting: Callable[[float], None],
    ) -> None:
        from core.spotify.http import Session, spotipy

        with _lock:
            self._kept = _kept.setdefault((accounts, client_id, client_secret), _Kept())
        health = health_of(accounts, "Spotify")
        self._flow = spotipy().SpotifyClientCredentials(
            client_id,
            client_secret,
            requests_session=Session(
                "Spotify",
                health,
                patience,
                waiting,
                repeatable=frozenset({"POST"}),  # asked twice, it gives two tokens, no harm done
            ),
            cache_handler=self._kept.cache,
        )
        self._flow.OAUTH_TOKEN_URL = f"{accounts}/api/token"

    def __call__(self) -> str:
        """The token, fetched if there is none or it is about to end.

        Raises
        ------
        WrongCredentialsError
            If the credentials are not accepted.
        SpotifyError
            If there is no answer, or none that can be read.
        """
        with self._kept.fetching:
            try:
                token = self._flow.get_access_token(as_dict=False)
            except RefusedError:
                raise WrongCredentialsError from None
            except (KeyError, TypeError):
                token = None
            if not isinstance(token, str):
                self._kept.cache.save_token_to_cache(None)
                raise BrokenAnswerError("Spotify", "no access token in it")
            return token

    def refused(self, token: str) -> None:
        """Forget a token that was not accepted, unless another has come in its place."""
        with self._kept.fetching:
            held = self._kept.cache.get_cached_token()
            if held and held["access_token"] == token:
                self._kept.cache.save_token_to_cache(None)

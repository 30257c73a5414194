"""How patient a request is, and whether a server is in a state to be asked at all."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.spotify.errors import OfflineError, RateLimitedError, SpotifyError

FAILURES = 5
"""Requests without an answer, one after the other, after which the circuit breaker opens."""
PAUSE_S = 30.0
"""What it stays open for, before one request is let through as a trial."""


@dataclass(frozen=True)
class Patience:
    """What one request may cost.

    Attributes
    ----------
    attempts : int
        Times it is sent at most.
    pause_s : float
        Before the second time; doubles, give or take a half.
    timeout_s : float
        For the connection, and for each part of the answer.
    longest_wait_s : float
        Waited in all while a rate limit or the circuit breaker holds; longer ends it at once.
    """

    attempts: int
    pause_s: float
    timeout_s: float
    longest_wait_s: float


PAGE = Patience(attempts=2, pause_s=0.2, timeout_s=5.0, longest_wait_s=0.0)
"""Somebody looks at the page."""
JOB = Patience(attempts=6, pause_s=0.5, timeout_s=20.0, longest_wait_s=3600.0)
"""Nobody waits."""


class Health:
    """What all of this process knows of one server; for any number of threads.

    While a rate limit holds nothing is sent. After `FAILURES` requests in a row without an answer
    nothing is sent for `PAUSE_S`, then one request is; it closes the circuit breaker, or opens it
    again.

    Parameters
    ----------
    service : str
        For sentences.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, service: str, clock: Callable[[], float] = time.time) -> None:
        self._service, self._clock = service, clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._limited_until = self._open_until = 0.0
            self._failures = 0
            self._trying = False

    def refusal(self) -> SpotifyError | None:
        """Why nothing may be sent now, with `until`; None where something may."""
        with self._lock:
            return self._refusal()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around one request: learns from the error that the block raises, or from none.

        Raises
        ------
        RateLimitedError, OfflineError
            With `until`, if nothing may be sent now. The block is not entered.
        """
        trial = self._enter()
        answered: bool | None = None
        limited_until = 0.0
        try:
            yield
            answered = True
        except RateLimitedError as error:
            answered, limited_until = True, error.until
            raise
        except OfflineError:
            answered = False
            raise
        except SpotifyError:
            answered = True
            raise
        finally:
            self._leave(trial, answered, limited_until)

    def _enter(self) -> bool:
        """Whether this request is the trial; raises if it may not be sent."""
        with self._lock:
            if refusal := self._refusal():
                raise refusal
            is_trial = self._failures >= FAILURES
            self._trying = self._trying or is_trial
            return is_trial

    def _refusal(self) -> SpotifyError | None:
        now = self._clock()
        if now < self._limited_until:
            return RateLimitedError(self._service, self._limited_until)
        if self._failures >= FAILURES and (now < self._open_until or self._trying):
            why = f"{self._failures} requests in a row were not answered"
            return OfflineError(self._service, why, max(now, self._open_until))
        return None

    def _leave(self, trial: bool, answered: bool | None, limited_until: float) -> None:
        """Learn from a request; `answered` is None where it was broken off here."""
        with self._lock:
            if trial:
                self._trying = False
            self._limited_until = max(self._limited_until, limited_until)
            if answered:
                self._failures = 0
            elif answered is False:
                self._failures += 1
                self._open_until = self._clock() + PAUSE_S


_known: dict[str, Health] = {}
_known_lock = threading.Lock()


def health_of(address: str, service: str) -> Health:
    """The health of the server at an address: one for the whole process."""
    with _known_lock:
        return _known.setdefault(address, Health(service))


def reset_health() -> None:
    """Forget what is known of every server."""
    with _known_lock:
        for health in _known.values():
            health.reset()

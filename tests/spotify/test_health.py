import math
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.spotify.errors import NotFoundError, OfflineError, RateLimitedError, clock_time
from core.spotify.health import FAILURES, PAUSE_S, Health, health_of
from core.spotify.http import LONGEST_WAIT_S, UNSAID_WAIT_S, retry_after_s

NOW = 1_800_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health("Spotify", clock)


def fail(health, times=1):
    for _ in range(times):
        with pytest.raises(OfflineError, match="cable"), health.asking():
            raise OfflineError("Spotify", "cable")


def succeed(health):
    with health.asking():
        pass


def test_the_breaker_opens_after_failures_in_a_row_and_sends_nothing(health, clock):
    fail(health, FAILURES)
    clock.now += PAUSE_S - 1
    with pytest.raises(OfflineError, match="5 requests in a row") as caught, health.asking():
        pytest.fail("sent while the breaker is open")
    assert caught.value.until == NOW + PAUSE_S


@pytest.mark.parametrize("answer", [None, NotFoundError("none"), RateLimitedError("Spotify", NOW)])
def test_any_answer_ends_a_row_of_failures(health, answer):
    fail(health, FAILURES - 1)
    if answer is None:
        succeed(health)
    else:
        with pytest.raises(type(answer)), health.asking():
            raise answer
    fail(health, FAILURES - 1)
    succeed(health)


def test_one_trial_after_the_pause_and_no_other_beside_it(health, clock):
    fail(health, FAILURES)
    clock.now += PAUSE_S
    with health.asking(), pytest.raises(OfflineError) as caught, health.asking():
        pytest.fail("sent beside the trial")
    assert caught.value.until == clock.now
    succeed(health)
    fail(health, FAILURES - 1)
    succeed(health)


def test_a_failed_trial_opens_the_breaker_for_another_pause(health, clock):
    fail(health, FAILURES)
    clock.now += PAUSE_S
    fail(health)
    clock.now += PAUSE_S - 1
    with pytest.raises(OfflineError, match="in a row"), health.asking():
        pytest.fail("sent while the breaker is open")
    clock.now += 1
    succeed(health)


def test_a_trial_that_is_broken_off_leaves_room_for_another(health, clock):
    fail(health, FAILURES)
    clock.now += PAUSE_S
    with pytest.raises(KeyboardInterrupt), health.asking():
        raise KeyboardInterrupt
    succeed(health)


def test_nothing_is_sent_while_a_rate_limit_holds_and_a_shorter_one_does_not_end_it(health, clock):
    with pytest.raises(RateLimitedError), health.asking():  # noqa: PT012
        with pytest.raises(RateLimitedError), health.asking():
            raise RateLimitedError("Spotify", NOW + 60)
        raise RateLimitedError("Spotify", NOW + 10)
    with pytest.raises(RateLimitedError) as caught, health.asking():
        pytest.fail("sent while a rate limit holds")
    assert caught.value.until == NOW + 60
    clock.now += 60
    succeed(health)


def test_why_nothing_may_be_sent_is_known_without_trying(health, clock):
    assert health.refusal() is None
    with pytest.raises(RateLimitedError), health.asking():
        raise RateLimitedError("Spotify", NOW + 60)
    assert health.refusal().until == NOW + 60
    clock.now += 60
    assert health.refusal() is None
    fail(health, FAILURES)
    assert health.refusal().until == clock.now + PAUSE_S
    clock.now += PAUSE_S
    assert health.refusal() is None
    with health.asking():  # the trial, which looking has not used up
        assert isinstance(health.refusal(), OfflineError)
    assert health.refusal() is None


def test_of_many_threads_only_one_is_the_trial(health, clock):
    fail(health, FAILURES)
    clock.now += PAUSE_S
    sent, held_back = [], []
    together, done = threading.Barrier(8), threading.Event()

    def ask():
        together.wait()
        try:
            with health.asking():
                sent.append(1)
                done.wait(5)
        except OfflineError:
            held_back.append(1)
            if len(held_back) == 7:
                done.set()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(sent), len(held_back)) == (1, 7)


def test_a_limit_s_sentence_says_the_time_from_which_it_is_true():
    today = time.time()
    assert clock_time(today).startswith(time.strftime("%H:%M:", time.localtime(math.ceil(today))))
    past = 1_000_000_000
    assert clock_time(past - 0.9) == clock_time(past) != clock_time(past + 0.1)
    assert re.match(r"0[89] September 2001, \d\d:\d\d:\d\d ", clock_time(past))
    assert clock_time(past) in str(RateLimitedError("Spotify", past))


def test_each_server_has_a_health_of_its_own_for_the_whole_process():
    assert health_of("https://a", "A") is health_of("https://a", "A")
    assert health_of("https://a", "A") is not health_of("https://b", "B")


@given(st.floats(0, LONGEST_WAIT_S) | st.integers(0, int(LONGEST_WAIT_S)))
def test_a_number_of_seconds_is_waited_as_it_is(seconds):
    assert retry_after_s(str(seconds), NOW) == seconds


@given(st.integers(0, int(LONGEST_WAIT_S)))
def test_a_date_is_waited_for(seconds):
    date = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)
    assert retry_after_s(format_datetime(date, usegmt=True), NOW) == seconds


@given(st.none() | st.text(max_size=40) | st.floats().map(str))
def test_whatever_the_header_says_the_wait_is_bounded(text):
    assert 0 <= retry_after_s(text, NOW) <= LONGEST_WAIT_S


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "nan", "inf", "1e9", "Thu, 32 Foo 20"])
def test_without_sense_in_the_header_the_wait_is_spotify_s_window(text):
    assert retry_after_s(text, NOW) == UNSAID_WAIT_S


def test_a_date_that_is_past_is_not_waited_for():
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT", NOW) == 0

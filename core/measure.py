"""What a piece of work cost: seconds and peak resident memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

_INTERVAL_S = 0.02


@dataclass
class Cost:
    """Filled when the block of `measured` ends.

    Attributes
    ----------
    seconds : float
        Wall time.
    peak_mb : float
        Largest resident memory of this process during the block, in MB of 10^6 bytes.
    """

    seconds: float = 0.0
    peak_mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block; memory is sampled every 20 ms."""
    cost, done, process = Cost(), threading.Event(), psutil.Process()

    def watch() -> None:
        while True:
            cost.peak_mb = max(cost.peak_mb, process.memory_info().rss / 1e6)
            if done.wait(_INTERVAL_S):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    start = time.perf_counter()
    watcher.start()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - start
        done.set()
        watcher.join()

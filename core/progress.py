"""One progress protocol: a terminal bar, a page's bar, or silence."""

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
PROGRESS_FILE = "SEGUE_PROGRESS"
"""Names, in the environment, a file to report to instead of the terminal."""


class Progress:
    """Silence, and the base of every other display: override `update`."""

    def update(self, label: str, fraction: float | None = None) -> None:
        """Say what is being done and which share of it is behind us.

        Parameters
        ----------
        label : str
            The step, in a few words. A new label starts a new step.
        fraction : float or None
            From 0 to 1; None where the total is unknown.
        """

    def figure(self, name: str, step: float, value: float) -> None:
        """Say how good what is being learnt is by now, such as a loss after an epoch.

        Parameters
        ----------
        name : str
            Of the curve, in a few words.
        step : float
            Rising within a curve: the epoch, from 1.
        value : float
        """

    def track(self, items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items, reporting before the first and after each."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.update(label, 0.0 if total else None)
        for done, item in enumerate(items, 1):
            yield item
            self.update(label, min(done / total, 1.0) if total else None)

    def within(self, start: float, stop: float, label: str) -> "Progress":
        """Part of a longer task: its steps move this one from `start` to `stop`."""
        return _Part(self, start, stop, label)


class _Part(Progress):
    def __init__(self, whole: Progress, start: float, stop: float, label: str) -> None:
        self._whole, self._start, self._stop, self._label = whole, start, stop, label

    def update(self, label: str, fraction: float | None = None) -> None:
        done = self._start + (fraction or 0.0) * (self._stop - self._start)
        self._whole.update(self._named(label), done)

    def figure(self, name: str, step: float, value: float) -> None:
        self._whole.figure(self._named(name), step, value)

    def _named(self, label: str) -> str:
        return f"{self._label}: {label}" if self._label else label


SILENT = Progress()


class Lines(Progress):
    """Plain lines on stderr, one a step: for logs and pipes."""

    def __init__(self) -> None:
        self._label: str | None = None

    def update(self, label: str, fraction: float | None = None) -> None:
        if label != self._label:
            self._label = label
            sys.stderr.write(f"{label}\n")
            sys.stderr.flush()


class Bar(Progress):
    """A live bar on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._rich = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._rich.add_task("", total=1.0)

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rich.stop()

    def update(self, label: str, fraction: float | None = None) -> None:
        self._rich.update(
            self._task,
            description=label,
            completed=fraction or 0.0,
            total=None if fraction is None else 1.0,
        )


@dataclass(frozen=True)
class Done:
    """What a `FileProgress` has written last.

    Attributes
    ----------
    step : str
    fraction : float or None
        As `Progress.update` was given them.
    figures : mapping of name to sequence of (step, value)
        The curve that moved last is last.
    """

    step: str = ""
    fraction: float | None = None
    figures: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


class FileProgress(Progress):
    """A JSON file that other processes read, always whole; see `stored_progress`."""

    INTERVAL_S = 0.2
    MOST_POINTS = 400
    """Of a curve; where there are more, every second is dropped."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._step = ""
        self._fraction: float | None = None
        self._figures: dict[str, list[tuple[float, float]]] = {}
        self._written = -math.inf

    def update(self, label: str, fraction: float | None = None) -> None:
        urgent = label != self._step or fraction == 1.0
        self._step, self._fraction = label, fraction
        self._write(urgent)

    def figure(self, name: str, step: float, value: float) -> None:
        if not math.isfinite(value):
            return
        curve = self._figures.pop(name, [])
        curve.append((float(step), float(value)))
        self._figures[name] = curve if len(curve) <= self.MOST_POINTS else curve[::-2][::-1]
        self._write(urgent=False)

    def _write(self, urgent: bool) -> None:
        if not urgent and time.monotonic() - self._written < self.INTERVAL_S:
            return
        self._written = time.monotonic()
        done = {"step": self._step, "fraction": self._fraction, "figures": self._figures}
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(done), "utf-8")
        partial.replace(self._file)

    def close(self) -> None:
        """Write what came too soon after the last time."""
        self._write(urgent=True)


def stored_progress(file: Path) -> Done:
    """What a `FileProgress` has written; nothing done yet where it is not there."""
    try:
        return Done(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return Done()


@contextmanager
def on_terminal() -> Iterator[Progress]:
    """Yield a bar where stderr is a terminal, plain lines otherwise; or what the job's file is."""
    if named := os.environ.get(PROGRESS_FILE):
        display = FileProgress(Path(named))
        try:
            yield display
        finally:
            display.close()
    elif sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines()

"""One progress protocol: a terminal bar, a page's bar, or silence."""

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


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
        self._whole.update(f"{self._label}: {label}" if self._label else label, done)


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


@contextmanager
def on_terminal() -> Iterator[Progress]:
    """Yield a bar where stderr is a terminal, plain lines otherwise."""
    if sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines()

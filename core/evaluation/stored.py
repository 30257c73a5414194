"""Reading what an earlier version of Segue may have written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from core.errors import SegueError


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """Make one sentence of whatever a stored evaluation lacks or has too much.

    Raises
    ------
    SegueError
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise SegueError(
            f"{path} does not fit this version of Segue ({error!r}): evaluate again."
        ) from error

"""The command line: `python -m core --help`."""

import errno
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from core.commands import (
    bench,
    continuing,
    datasets,
    flow,
    measuring,
    models,
    serving,
    sources,
    training,
)
from core.commands.shared import State, warn
from core.errors import SegueError
from core.workspace import Workspace

app = typer.Typer(
    help="Segue: what should play next?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for area in (sources, datasets, training, measuring, continuing, serving, flow, models, bench):
    app.add_typer(area.app)


@app.callback()
def main(
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder of datasets.", envvar="SEGUE_WORKSPACE", file_okay=False),
    ] = None,
) -> None:
    """Continue playlists, and look inside every model that does."""
    State.workspace = Workspace(workspace)


_REMEDIES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "allow it, or name another folder"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room there"),
}
"""What to do where the machine, not Segue, is in the way."""


def _stop(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + signal.SIGTERM)


def run() -> None:
    """Run the command line; a SegueError is one sentence on stderr and exit code 2.

    So is a folder that may not be written to, and a disk that is full. Asked to stop, it takes
    what is half written away.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except SegueError as error:
        warn(str(error))
        raise SystemExit(2) from None
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        warn(f"{error.filename or 'A file'}: {error.strerror}; {_REMEDIES[error.errno]}.")
        raise SystemExit(2) from None


if __name__ == "__main__":
    run()

"""What the commands share: the workspace, options of one meaning, how they print."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.workspace import Workspace

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

Name = Annotated[str, typer.Option("--dataset", help="Dataset of the workspace.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write this file.")]
Model = Annotated[
    str | None,
    typer.Option(help="ranker, fusion, or a model's name; by default the first there is."),
]
Models = Annotated[str, typer.Option(help="a,b,… or all")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]


class State:
    """What is said before the command."""

    workspace: Workspace


def open_dataset(name: str) -> "Dataset":
    """Open a dataset of the workspace, or the shipped demo."""
    from core.dataset import library

    return library.open_dataset(State.workspace, name)


def open_writable(name: str) -> "Dataset":
    """Open a dataset to be extended; the shipped demo is first copied into the workspace."""
    from core.dataset import library

    return library.open_writable(State.workspace, name)


def say(text: str) -> None:
    """Print a line of what was asked for, on stdout."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Print a line of what went otherwise, on stderr."""
    sys.stderr.write(f"{text}\n")


def print_json(value: Any) -> None:
    """Print a value; the dataclasses in it become objects."""
    say(json.dumps(value, default=asdict, ensure_ascii=False, indent=1))


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[Sequence[str]] = ()
) -> None:
    """Print columns as wide as their widest cell, nothing cut; lines `below` a row are indented."""
    if not rows:
        say("None yet.")
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row, lines in zip_longest((header, *rows), ((), *below), fillvalue=()):
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
        for line in lines:
            say(f"    {line}")


def say_changes(changes: Sequence[dict[str, Any]]) -> None:
    """Say what cleaning dropped or changed, with the first example of each."""
    for change in changes:
        example = f" (first: {change['examples'][0]})" if change["examples"] else ""
        say(f"  {change['what']}: {change['count']:,}{example}")

"""New datasets: from files, invented, downloaded, crawled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.commands.shared import (
    Json,
    Seed,
    State,
    open_dataset,
    print_json,
    print_table,
    say,
    say_changes,
    warn,
)
from core.errors import SegueError
from core.progress import on_terminal

if TYPE_CHECKING:
    from core.spotify.crawling.crawled import CrawlState

app = typer.Typer()

NewName = Annotated[str, typer.Option(help="Name of the new dataset.")]


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(help="mpd | nowplaying | tidytuesday | list | auto")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    name: NewName,
    as_json: Json = False,
) -> None:
    """Read playlists into a dataset."""
    from core.dataset.library import import_dataset

    with on_terminal() as progress:
        manifest = import_dataset(State.workspace, name, source, paths, progress)
    _show_manifest(manifest, as_json)


@app.command()
def simulate(
    name: NewName,
    playlists: Annotated[int, typer.Option(min=1)] = 4_000,
    tracks: Annotated[int, typer.Option(min=1)] = 12_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Invent a dataset, the same for the same numbers."""
    from core.dataset.library import simulate_dataset

    with on_terminal() as progress:
        manifest = simulate_dataset(State.workspace, name, playlists, tracks, seed, progress)
    _show_manifest(manifest, as_json)


@app.command()
def fetch(
    source: Annotated[
        str | None, typer.Argument(help="A registered set; without it, they are listed.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new dataset; default: the set's.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace one of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Download a registered public set and import it; an interrupted download goes on."""
    from core.dataset.fetch import fetch as fetch_set
    from core.dataset.fetch import megabytes
    from core.dataset.public_sets import public_sets

    if source:
        with on_terminal() as progress:
            manifest = fetch_set(State.workspace, source, name, replace=replace, progress=progress)
        _show_manifest(manifest, as_json)
        return
    sets = list(public_sets().values())
    if as_json:
        print_json(sets)
        return
    rows = [[each.name, each.label, megabytes(each.size), each.licence] for each in sets]
    print_table(["set", "what it is", "download", "licence"], rows, [[each.about] for each in sets])


@app.command()
def crawl(
    link: Annotated[
        str | None, typer.Argument(help="Of a playlist to start from; without it, NAME goes on.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the crawl and its dataset; without it, crawls are listed."),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(min=1, help="To make at most; default 500.")
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(min=0, help="1: playlists found by its artists, 2: by theirs too; default 2."),
    ] = None,
    playlists: Annotated[
        int | None, typer.Option(min=1, help="To read at most; default 200.")
    ] = None,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two requests.")] = 0.25,
    finish: Annotated[
        bool, typer.Option("--finish", help="Ask no more; make the dataset of what is there.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete the crawl; a dataset of it stays.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build a dataset from a Spotify playlist, its artists, playlists found by them, and so on.

    Stopped at any time, it goes on by its name, within other bounds if they are given; a dataset
    made of it before is replaced.
    """
    from core.dataset.links import spotify_link, unreadable
    from core.spotify.crawling import crawl as crawling

    workspace = State.workspace
    if name is None and link:
        raise SegueError("Give the crawl and its dataset a name: --name NAME.")
    if name is None and (finish or discard):
        raise SegueError("Say which crawl is meant: --name NAME; `crawl` alone lists them.")
    if name is None:
        _show_crawls(crawling.crawls(workspace), as_json)
        return
    if discard:
        crawling.discard(workspace, name)
        say(f"The crawl {name} is deleted.")
        return
    start = spotify_link(link) if link else None
    if link and start is None:
        raise SegueError(unreadable(link) or f"{link!r} is no link to a playlist on Spotify.")
    asked = {"requests": requests, "depth": depth, "playlists": playlists}
    bounds = {bound: value for bound, value in asked.items() if value is not None}
    try:
        with on_terminal() as progress:
            if finish:
                state = crawling.finish(workspace, name, progress)
            else:
                state = crawling.crawl(
                    workspace, name, start, bounds, pause_s=pause, progress=progress
                )
    except crawling.StoppedError as stopped:
        warn(str(stopped))
        raise SystemExit(128 + stopped.signal) from None
    manifest = open_dataset(name).manifest
    if as_json:
        print_json({"crawl": state, "dataset": manifest})
        return
    for sentence in crawling.summary(state):
        say(sentence)
    _show_manifest(manifest, as_json)


def _show_crawls(states: "Sequence[CrawlState]", as_json: bool) -> None:
    if as_json:
        print_json(states)
        return
    rows = [
        [
            state.name,
            state.title or state.start.address,
            *(f"{count:,}" for count in (state.requests, state.playlists, state.artists)),
            state.ending or _unended(state),
        ]
        for state in states
    ]
    print_table(["crawl", "from", "requests", "playlists", "artists", "state"], rows)


def _unended(state: "CrawlState") -> str:
    from core.spotify.errors import clock_time

    until = state.waiting_until
    return f"may ask again at {clock_time(until)}" if until else "there is more to ask for"


def _show_manifest(manifest: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(manifest)
        return
    counts = manifest["counts"]
    say(
        f"{manifest['name']}: {counts['playlists']:,} playlists, {counts['entries']:,} entries, "
        f"{counts['tracks']:,} tracks, {counts['artists']:,} artists, from "
        f"{manifest['cleaning']['rows_read']:,} rows."
    )
    say_changes(manifest["cleaning"]["changes"])

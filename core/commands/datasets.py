"""The datasets of the workspace: extended, listed, deleted."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from core.commands.shared import (
    Json,
    Name,
    State,
    open_dataset,
    open_writable,
    print_json,
    print_table,
    say,
    say_changes,
    warn,
)
from core.progress import on_terminal

app = typer.Typer()


@app.command()
def delete(
    dataset: Annotated[str, typer.Argument(help="Dataset of the workspace.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a dataset with all that was trained on it."""
    from core.dataset.library import delete_dataset

    folder = State.workspace.own_path(dataset)
    question = f"Delete {folder} with all that was trained on it?"
    if not yes and not typer.confirm(question):
        say("Nothing was deleted.")
        raise typer.Exit(1)
    delete_dataset(State.workspace, dataset)
    say(f"{dataset} is deleted.")


@app.command()
def features(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet of audio features.")],
    dataset: Name,
    as_json: Json = False,
) -> None:
    """Join an audio-feature table, by id, then by title and artist."""
    from core.dataset.audio_features import join_features

    with on_terminal() as progress:
        report = join_features(open_writable(dataset), path, progress)
    if as_json:
        print_json(report)
        return
    say(
        f"{report.table}: {report.rows:,} rows; {report.by_id:,} tracks found by id, "
        f"{report.by_name:,} by title and artist."
    )
    say(f"Tracks with audio features: {report.before:.1%} before, {report.after:.1%} now.")
    say_changes(report.problems.get("changes", []))


@app.command()
def enrich(
    dataset: Name,
    source: Annotated[
        str, typer.Option(help="Whom to ask: reccobeats, without a key; spotify.")
    ] = "reccobeats",
    most: Annotated[
        int | None, typer.Option(min=1, help="Only so many tracks, the most popular ones.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Ask again what was refused or not known before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a service for what a dataset lacks; an interrupted run goes on."""
    from core.spotify.client import Settings
    from core.spotify.enrichment.enrich import as_table
    from core.spotify.enrichment.enrich import enrich as enrich_dataset

    try:
        with on_terminal() as progress:
            report = enrich_dataset(
                State.workspace,
                dataset,
                source,
                Settings.from_environment(),
                most=most,
                anew=anew,
                progress=progress,
            )
    except (KeyboardInterrupt, SystemExit) as stopped:
        warn("Stopped. What was answered is kept; the same command goes on.")
        raise SystemExit(getattr(stopped, "code", 128 + signal.SIGINT)) from None
    if as_json:
        print_json(report)
        return
    for line in report.sentences():
        say(line)
    print_table(*as_table(report))
    say(report.licence)


@app.command()
def datasets(as_json: Json = False) -> None:
    """List the datasets of the workspace."""
    manifests = [open_dataset(n).manifest for n in State.workspace.names()]
    if as_json:
        print_json(manifests)
        return
    rows = [
        [
            manifest["name"],
            "simulated" if manifest["simulated"] else manifest["source"],
            *(f"{manifest['counts'][kind]:,}" for kind in ("playlists", "entries", "tracks")),
            manifest["licence"] or "not stated",
        ]
        for manifest in manifests
    ]
    print_table(["dataset", "source", "playlists", "entries", "tracks", "licence"], rows)

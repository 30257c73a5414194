"""The command line: `python -m core --help`."""

import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import SegueError
from core.progress import Progress, on_terminal
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.ranking.ranker import Standing
    from core.serving.endpoint import Target
    from core.spotify.crawling.crawled import CrawlState
    from core.training.trial import Trial

app = typer.Typer(
    help="Segue: what should play next?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Option("--dataset", help="Dataset of the workspace.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[
    str | None,
    typer.Option(help="ranker, fusion, or a model's name; by default the first there is."),
]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]


class _State:
    workspace: Workspace


@app.callback()
def main(
    workspace: Annotated[
        Path | None,
        typer.Option(help="Folder of datasets.", envvar="SEGUE_WORKSPACE", file_okay=False),
    ] = None,
) -> None:
    """Continue playlists, and look inside every model that does."""
    _State.workspace = Workspace(workspace)


@contextmanager
def _reported() -> Iterator[Progress]:
    with on_terminal() as progress:
        yield progress


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _print_json(value: Any) -> None:
    _say(json.dumps(value, ensure_ascii=False, indent=1))


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(help="mpd | nowplaying | tidytuesday | list | auto")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    name: Annotated[str, typer.Option(help="Name of the new dataset.")],
    as_json: Json = False,
) -> None:
    """Read playlists into a dataset."""
    from core.dataset.library import import_dataset

    with _reported() as progress:
        manifest = import_dataset(_State.workspace, name, source, paths, progress)
    _show_manifest(manifest, as_json)


@app.command()
def simulate(
    name: Annotated[str, typer.Option(help="Name of the new dataset.")],
    playlists: Annotated[int, typer.Option(min=1)] = 4_000,
    tracks: Annotated[int, typer.Option(min=1)] = 12_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Invent a dataset, the same for the same numbers."""
    from core.dataset.library import simulate_dataset

    with _reported() as progress:
        manifest = simulate_dataset(_State.workspace, name, playlists, tracks, seed, progress)
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
        with _reported() as progress:
            manifest = fetch_set(_State.workspace, source, name, replace=replace, progress=progress)
        _show_manifest(manifest, as_json)
        return
    sets = public_sets().values()
    if as_json:
        _print_json([asdict(each) for each in sets])
        return
    rows = [[each.name, each.label, megabytes(each.size), each.licence] for each in sets]
    _table(["set", "what it is", "download", "licence"], rows, [[each.about] for each in sets])


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
    from core.dataset.library import open_dataset
    from core.dataset.links import spotify_link, unreadable
    from core.spotify.crawling import crawl as crawling

    workspace = _State.workspace
    if name is None and link:
        raise SegueError("Give the crawl and its dataset a name: --name NAME.")
    if name is None:
        _show_crawls(crawling.crawls(workspace), as_json)
        return
    if discard:
        crawling.discard(workspace, name)
        _say(f"The crawl {name} is deleted.")
        return
    start = spotify_link(link) if link else None
    if link and start is None:
        raise SegueError(unreadable(link) or f"{link!r} is no link to a playlist on Spotify.")
    asked = {"requests": requests, "depth": depth, "playlists": playlists}
    bounds = {bound: value for bound, value in asked.items() if value is not None}
    try:
        with _reported() as progress:
            if finish:
                state = crawling.finish(workspace, name, progress)
            else:
                state = crawling.crawl(
                    workspace, name, start, bounds, pause_s=pause, progress=progress
                )
    except crawling.StoppedError as stopped:
        sys.stderr.write(f"{stopped}\n")
        raise SystemExit(128 + stopped.signal) from None
    manifest = open_dataset(workspace, name).manifest
    if as_json:
        _print_json({"crawl": asdict(state), "dataset": manifest})
        return
    for sentence in crawling.summary(state):
        _say(sentence)
    _show_manifest(manifest, as_json)


@app.command()
def delete(
    dataset: Annotated[str, typer.Argument(help="Dataset of the workspace.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a dataset with all that was trained on it."""
    from core.dataset.library import delete_dataset

    folder = _State.workspace.own_path(dataset)
    question = f"Delete {folder} with all that was trained on it?"
    if not yes and not typer.confirm(question):
        _say("Nothing was deleted.")
        raise typer.Exit(1)
    delete_dataset(_State.workspace, dataset)
    _say(f"{dataset} is deleted.")


@app.command()
def features(
    path: Annotated[Path, typer.Argument(help="CSV or Parquet of audio features.")],
    dataset: Name,
    as_json: Json = False,
) -> None:
    """Join an audio-feature table, by id, then by title and artist."""
    from core.dataset.audio_features import join_features
    from core.dataset.library import open_writable

    with _reported() as progress:
        report = join_features(open_writable(_State.workspace, dataset), path, progress)
    if as_json:
        _print_json(asdict(report))
        return
    _say(
        f"{report.table}: {report.rows:,} rows; {report.by_id:,} tracks found by id, "
        f"{report.by_name:,} by title and artist."
    )
    _say(f"Tracks with audio features: {report.before:.1%} before, {report.after:.1%} now.")
    _say_changes(report.problems.get("changes", []))


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
        with _reported() as progress:
            report = enrich_dataset(
                _State.workspace,
                dataset,
                source,
                Settings.from_environment(),
                most=most,
                anew=anew,
                progress=progress,
            )
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was answered is kept; the same command goes on.\n")
        raise SystemExit(130) from None
    if as_json:
        _print_json(asdict(report))
        return
    for line in report.sentences():
        _say(line)
    _table(*as_table(report))
    _say(report.licence)


@app.command()
def datasets(as_json: Json = False) -> None:
    """List the datasets of the workspace."""
    from core.dataset.library import open_dataset

    manifests = [open_dataset(_State.workspace, n).manifest for n in _State.workspace.names()]
    if as_json:
        _print_json(manifests)
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
    _table(["dataset", "source", "playlists", "entries", "tracks", "licence"], rows)


models_app = typer.Typer(
    help="List the trained models; keep, discard, choose or delete one.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(models_app, name="models")

Trained = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or ranker.")]


@models_app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    as_json: Json = False,
) -> None:
    """List the trained models; keep, discard, choose or delete one."""
    if context.invoked_subcommand:
        return
    from core.dataset.library import open_dataset
    from core.training.train import cards

    names = [dataset] if dataset else _State.workspace.names()
    trained = {name: cards(open_dataset(_State.workspace, name)) for name in names}
    if as_json:
        _print_json({name: [asdict(card) for card in found] for name, found in trained.items()})
        return
    rows = [
        [name, card.model, f"{card.seconds:.1f} s", f"{card.peak_mb:.0f} MB", card.trained]
        for name, found in trained.items()
        for card in found
    ]
    _table(["dataset", "model", "fit", "peak memory", "trained"], rows)


@models_app.command()
def keep(dataset: Name, model: Trained) -> None:
    """Use the model of a trial (`train --trial`) instead of the one in use."""
    from core.dataset.library import open_writable
    from core.training.trial import keep as keep_trial

    keep_trial(open_writable(_State.workspace, dataset), model)
    _say(f"{model} on {dataset} is now as it was tried.")


@models_app.command()
def discard(dataset: Name, model: Trained) -> None:
    """Delete the model of a trial; the one in use stays."""
    from core.dataset.library import open_writable
    from core.training.trial import discard as discard_trial

    discard_trial(open_writable(_State.workspace, dataset), model)
    _say(f"The trial of {model} on {dataset} is discarded.")


@models_app.command()
def default(
    dataset: Name,
    model: Annotated[
        str, typer.Argument(help="ranker, fusion, a model's name; or auto, the best there is.")
    ],
) -> None:
    """Choose what answers where no model is named."""
    from core.dataset.library import open_writable
    from core.training.shelf import answers, choose_default

    opened = open_writable(_State.workspace, dataset)
    choose_default(opened, None if model == "auto" else model)
    _say(f"{dataset} is answered by {next(iter(answers(opened)), 'no model yet')}.")


@models_app.command(name="delete")
def delete_model_(dataset: Name, model: Trained) -> None:
    """Delete a trained model."""
    from core.dataset.library import open_writable
    from core.training.shelf import delete_model

    delete_model(open_writable(_State.workspace, dataset), model)
    _say(f"{model} on {dataset} is deleted.")


@app.command()
def train(
    dataset: Name,
    models: Annotated[str, typer.Option(help="a,b,… or all")] = "all",
    preset: Annotated[str, typer.Option(help="fast | full")] = "full",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Instead of the preset's: track2vec.window=20; repeat it."),
    ] = None,
    trial: Annotated[
        bool, typer.Option("--trial", help="Measure against what is in use, which stays.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Fit models on a dataset, and compute its map."""
    from core.dataset.library import open_dataset, open_writable
    from core.ranking.ranker import RANKER
    from core.retrieval import MODELS
    from core.training.settings import parse_settings
    from core.training.train import chosen_models, why_not
    from core.training.train import train as train_models
    from core.training.trial import try_models

    names = chosen_models(models)
    chosen = parse_settings(settings or [])
    for name in chosen:
        if name not in names:
            raise SegueError(f"{name} is set, but it is not among the models to be trained.")
    open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        opened = open_writable(_State.workspace, dataset)
        if trial:
            tried = try_models(opened, names, preset, seed, progress, chosen)
        else:
            trained = train_models(opened, names, preset, seed, progress, settings=chosen)
    if trial:
        _show_trials(tried, dataset, as_json)
        return
    if as_json:
        _print_json([asdict(card) for card in trained])
        return
    rows = [[card.model, f"{card.seconds:.1f} s", f"{card.peak_mb:.0f} MB"] for card in trained]
    _table(["model", "fit", "peak memory"], rows)
    for name in (*MODELS, RANKER) if models == "all" else ():
        if problem := why_not(name):
            _say(f"{name} is left out. {problem}")


@app.command(name="map")
def map_(
    dataset: Name,
    model: Annotated[str, typer.Option(help="A trained model with vectors.")] = "track2vec",
    method: Annotated[str, typer.Option(help="umap | tsne | pca")] = "umap",
    tracks: Annotated[int, typer.Option(min=10, help="Tracks on it, the popular ones.")] = 100_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Lay out a model's tracks as a map, besides those that are there."""
    from core.dataset.library import open_dataset, open_writable
    from core.training.maps import make_map, mapped_vectors, require_map
    from core.training.train import load_model

    require_map(model, method)
    open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        opened = open_writable(_State.workspace, dataset)
        vectors = mapped_vectors(load_model(opened, model))
        card = make_map(opened, model, vectors, method, tracks=tracks, seed=seed, progress=progress)
    if as_json:
        _print_json(asdict(card))
        return
    _say(
        f"{dataset}, {model} by {method}: {card.placed:,} tracks, {card.laid_out:,} of them laid "
        f"out. Trustworthiness {card.trustworthiness:.3f}; {card.kept:.0%} of the {card.k} nearest "
        "on the map are as near in the model."
    )


@app.command()
def table(
    dataset: Name,
    out: Annotated[Path, typer.Argument(help="Parquet file to write.")],
    previous: Annotated[int, typer.Option(min=1, help="Tracks before each candidate.")] = 5,
) -> None:
    """Export a training table for other libraries: previous tracks, candidate, their features."""
    from core.dataset.library import open_dataset
    from core.dataset.training_table import export_training_table

    opened = open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        rows = export_training_table(opened, out, previous, progress)
    _say(f"{out}: {rows:,} rows of a candidate and up to {previous} tracks before it.")


@app.command()
def evaluate(
    dataset: Name,
    holdout: Annotated[int, typer.Option(min=1, help="Held-out playlists.")] = 400,
    seed: Seed = 0,
    validation: Annotated[
        bool, typer.Option(help="Measure on validation playlists, for choosing settings.")
    ] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write this file.")] = None,
) -> None:
    """Measure every trained model, refitted, on held-out playlists in ten categories."""
    from core.dataset.library import open_dataset, open_writable
    from core.evaluation.dials import render as render_dials
    from core.evaluation.leaderboard import render
    from core.training.evaluate import evaluate_models, store_evaluation

    open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        opened = open_writable(_State.workspace, dataset)
        found = evaluate_models(opened, holdout, seed, on_validation=validation, progress=progress)
    if not validation:
        store_evaluation(opened, found)
    if json_path:
        found.board.save(json_path)
    _say(render(found.board))
    if found.standing:
        _say("\nThe ranker on the playlists that it was judged on, R-precision:")
        _table(*_standing_table(found.standing))
    _say(f"\n{render_dials(found.dials)}")


@app.command()
def grid(
    dataset: Name,
    model: Annotated[str, typer.Option(help="A model's name.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting and the values to try: window=20,50; repeat it."),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="Choose by r_precision, ndcg, clicks, hit@10, recall@500, …")
    ] = "r_precision",
    holdout: Annotated[
        int | None,
        typer.Option(min=1, help="Test playlists, left alone; 400, or a tenth where few."),
    ] = None,
    validation: Annotated[
        int | None,
        typer.Option(min=1, help="Playlists to measure on; 250, or a sixteenth where few."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes at a time; default: one a core.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Then train with the best on the whole dataset.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure every combination of a model's settings on validation playlists, in parallel."""
    from core.dataset.library import open_dataset, open_writable
    from core.training.grid import as_table, keep_best, require_metric
    from core.training.grid import grid as measure_points
    from core.training.settings import combinations, parse_values

    points = combinations(parse_values(model, settings or []))
    require_metric(metric)
    open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        opened = open_writable(_State.workspace, dataset)
        result = measure_points(
            opened,
            model,
            points,
            metric,
            holdout=holdout,
            validation=validation,
            jobs=jobs,
            progress=progress,
        )
        if keep:
            keep_best(opened, result, progress)
    for failure in result.failures:
        tried = " ".join(f"{name}={failure.settings[name]}" for name in result.varied)
        sys.stderr.write(f"{model} {tried} could not be measured: {failure.reason}.\n")
    if as_json:
        _print_json(result.as_json())
        return
    _say(
        f"{model} on {dataset}: {result.validation_playlists} validation playlists, "
        f"{result.training_playlists:,} to learn from. Mean [95 % interval]; best first."
    )
    _table(*as_table(result))


@app.command()
def submit(
    dataset: Name,
    challenge: Annotated[Path, typer.Argument(help="The challenge's JSON file.")],
    out: Annotated[Path, typer.Argument(help="CSV to write.")],
    model: Model = None,
    team: Annotated[str, typer.Option(help="Name in the first row.")] = "segue",
    email: Annotated[str, typer.Option(help="Address in the first row.")] = "segue@example.org",
) -> None:
    """Write 500 tracks for each playlist of a challenge file, in its format."""
    from core.dataset.library import open_dataset
    from core.training.submit import write_answers

    opened = open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        report = write_answers(opened, challenge, out, model, team, email, progress)
    _say(
        f"{out}: 500 tracks for each of {report.playlists:,} playlists; "
        f"{report.unknown_seeds:,} of {report.seeds:,} seeds are not in {dataset}."
    )


@app.command(name="continue")
def continue_(
    dataset: Name,
    seed_track: Annotated[
        list[str] | None,
        typer.Option(
            help='"Artist - Title", or a uri or link of a track, playlist, album or artist; '
            "repeat it."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The playlist's title.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=500, help="Tracks to add.")] = 20,
    model: Model = None,
    like: Annotated[
        list[str] | None, typer.Option(help="A track to hear more like; repeat it.")
    ] = None,
    dislike: Annotated[
        list[str] | None, typer.Option(help="A track to hear less like; repeat it.")
    ] = None,
    adventure: Annotated[
        float, typer.Option(help="-1 familiar, near the seeds, to 1 adventurous, far from them.")
    ] = 0.0,
    popularity: Annotated[float, typer.Option(help="-1 deep cuts to 1 popular tracks.")] = 0.0,
    variety: Annotated[float, typer.Option(help="0 to 1, each track unlike those before.")] = 0.0,
    per_artist: Annotated[int | None, typer.Option(help="Tracks by one artist at most.")] = None,
    smooth: Annotated[bool, typer.Option("--smooth", help="Small steps of tempo and key.")] = False,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Also remasters, live versions, …")
    ] = False,
    no_explicit: Annotated[
        bool, typer.Option("--no-explicit", help="No tracks known to be explicit.")
    ] = False,
    years: Annotated[str | None, typer.Option(help="1990-1999, 1990- or -1999.")] = None,
    block_artist: Annotated[
        list[str] | None, typer.Option(help="An artist not to show; repeat it.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Also say why, track by track.")] = False,
    as_json: Json = False,
) -> None:
    """Say what plays next."""
    from core.dataset.library import open_dataset
    from core.dataset.matching import artists_named
    from core.ordering import Dials, parse_years
    from core.query import Query, answer
    from core.reasons import sentences
    from core.spotify.seeds import SeedFinder
    from core.training.train import load_recommender

    opened = open_dataset(_State.workspace, dataset)
    try:
        dials = Dials(
            one_version=not all_versions,
            per_artist=per_artist,
            popularity=popularity,
            explicit=not no_explicit,
            years=parse_years(years) if years else None,
            blocked_artists=tuple(artists_named(opened, block_artist or [])),
            variety=variety,
            smooth=smooth,
            adventure=adventure,
        )
    except ValueError as error:
        raise SegueError(str(error)) from None
    with _reported() as progress:
        finder = SeedFinder(opened, progress)
        seeds, likes, dislikes = (finder.find(texts or []) for texts in (seed_track, like, dislike))
    for sentence in (*seeds.said, *likes.said, *dislikes.said):
        sys.stderr.write(f"{sentence}\n")
    recommender = load_recommender(opened)
    query = Query(seeds.report, title, k, model, dials, likes.report, dislikes.report, reasons=why)
    given = answer(recommender, query)
    if as_json:
        _print_json(given.as_json())
        return
    if opened.manifest["simulated"]:
        _say(f"{dataset} is simulated: its tracks and artists are invented.")
    for note in given.found.notes:
        _say(note)
    for track in (*seeds.missing, *likes.missing, *dislikes.missing):
        _say(f"Not found: {track.artist or '?'} - {track.title or track.uri}")
    names = given.columns()
    rows = [
        [str(place), artist or "?", title or "?"]
        for place, (artist, title) in enumerate(
            zip(names["artist_name"], names["title"], strict=True), 1
        )
    ]
    reasons = given.reasons
    below = [sentences(reasons, i) for i in range(len(rows))] if reasons else ()
    _table(["", "artist", "title"], rows, below)


@app.command()
def serve(
    dataset: Annotated[
        str | None, typer.Option(help="Whose models answer; by default the workspace's first.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on.", envvar="SEGUE_HOST")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any that is free.")] = 8080,
) -> None:
    """Answer over HTTP, without pages."""
    from core.serving.serve import serve as serve_api

    def on_ready(address: str) -> None:
        _say(f"Segue answers on {address}; {address}/openapi.json describes it.")
        sys.stdout.flush()

    serve_api(_State.workspace, dataset, host, port, on_ready)


Folder = Annotated[Path, typer.Argument(help="A workspace of one dataset with its models.")]
Place = Annotated[
    str,
    typer.Option(
        "--target",
        help="local, a server on this machine; or sagemaker, which SEGUE_IMAGE, SEGUE_ROLE, "
        "SEGUE_BUCKET and SEGUE_INSTANCE describe.",
    ),
]
Endpoint = Annotated[str, typer.Option("--name", help="Of the endpoint.")]


@app.command()
def deploy(
    folder: Folder, target: Place = "local", name: Endpoint = "segue", as_json: Json = False
) -> None:
    """Bring an endpoint up from a folder, and check it; what answers wrongly is rolled back."""
    from core.serving.endpoint import release

    there = _target(target, name)
    with _reported() as progress:
        report = release(there, folder, progress)
    if as_json:
        _print_json({"address": there.address} | asdict(report))
        return
    _say(f"{name} answers on {there.address}; {report.asked} known queries, all as here.")


@app.command()
def check(
    folder: Folder, target: Place = "local", name: Endpoint = "segue", as_json: Json = False
) -> None:
    """Ask an endpoint known queries, and compare with the answers from a folder here."""
    from core.serving.endpoint import check as check_endpoint
    from core.serving.endpoint import require_right

    there = _target(target, name)
    with _reported() as progress:
        report = check_endpoint(there, folder, progress)
    if as_json:
        _print_json({"address": there.address} | asdict(report))
    require_right(report)
    if not as_json:
        _say(f"{name} answers {report.asked} known queries as here, on {there.address}.")


@app.command()
def undeploy(target: Place = "local", name: Endpoint = "segue") -> None:
    """Take an endpoint down."""
    _target(target, name).stop()
    _say(f"{name} is down.")


def _target(kind: str, name: str) -> "Target":
    from core.serving.endpoint import target_of

    found = target_of(kind, name, _State.workspace.folder)
    if found is None:
        raise SegueError("Name a target: local or sagemaker.")
    return found


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def flow(context: typer.Context) -> None:
    """Run the whole pipeline with Metaflow: run, resume, card view, argo-workflows.

    What follows goes to Metaflow as it is; after `flow batch`, to the flow that continues a large
    file of queries in parts.
    """
    from core.training.launch import launch

    name, arguments = "pipeline", context.args
    if arguments[:1] == ["batch"]:
        name, arguments = "batch", arguments[1:]
    launch(_State.workspace, name, arguments)


bench = typer.Typer(
    help="Measure speed and quality beside peers; without a command, all in one run.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(bench, name="bench")

Searched = Annotated[int, typer.Option("--tracks", min=1_000, help="Tracks to search.")]
Slices = Annotated[int, typer.Option(min=4, help="Slices to import.")]


@bench.callback(invoke_without_command=True)
def bench_all(
    context: typer.Context,
    tracks: Searched = 2_000_000,
    slices: Slices = 100,
    as_json: Json = False,
) -> None:
    """Measure the app, import, search and, on the demo and in small, quality."""
    if context.invoked_subcommand:
        return
    from core.bench.app import app_benchmark
    from core.bench.imports import import_benchmark
    from core.bench.quality import small_quality
    from core.bench.report import render
    from core.bench.search import search_benchmark
    from core.dataset.library import open_dataset

    with _reported() as progress:
        served = app_benchmark(progress=progress)
        imported = import_benchmark(slices, progress=progress)
        searched = search_benchmark(tracks, progress=progress)
        report = small_quality(open_dataset(_State.workspace, "demo"), progress)
    if as_json:
        figures = {"import": imported, "search": searched, "quality": report.as_json()}
        _print_json({"app": served.as_json()} | figures)
        return
    _table(*served.table())
    _say("")
    _show_figures("import", imported)
    _show_figures("search", searched)
    _say(f"\n{render(report)}")


@bench.command(name="import")
def bench_import(slices: Slices = 100, as_json: Json = False) -> None:
    """Measure importing beside json.load and pandas."""
    from core.bench.imports import import_benchmark

    with _reported() as progress:
        figures = import_benchmark(slices, progress=progress)
    if as_json:
        _print_json(figures)
        return
    _show_figures("import", figures)


@bench.command(name="search")
def bench_search(tracks: Searched = 2_000_000, as_json: Json = False) -> None:
    """Measure the text search beside a scan."""
    from core.bench.search import search_benchmark

    with _reported() as progress:
        figures = search_benchmark(tracks, progress=progress)
    if as_json:
        _print_json(figures)
        return
    _show_figures("search", figures)


@bench.command(name="app")
def bench_app(
    sessions: Annotated[int, typer.Option(min=1, help="Visitors at once.")] = 10,
    changes: Annotated[int, typer.Option(min=1, help="Dials turned.")] = 60,
    as_json: Json = False,
) -> None:
    """Measure the app's memory and its answer to a dial, beside a page of one slider."""
    from core.bench.app import app_benchmark

    with _reported() as progress:
        report = app_benchmark(sessions, changes, progress=progress)
    if as_json:
        _print_json(report.as_json())
        return
    _table(*report.table())


@bench.command(name="serve")
def bench_serve(
    dataset: Annotated[str, typer.Option(help="Dataset of the workspace.")] = "demo",
    clients: Annotated[int, typer.Option(min=1, help="At once.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="Of load.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Load the HTTP API, comparing every answer, and then a bare Starlette route."""
    from core.bench.serve import serve_benchmark

    with _reported() as progress:
        report = serve_benchmark(_State.workspace, dataset, clients, seconds, progress=progress)
    if as_json:
        _print_json(report.as_json())
        return
    _table(*report.table())
    if report.api.first_error:
        _say(f"The first error: {report.api.first_error}")


@bench.command(name="quality")
def bench_quality(
    dataset: Name,
    holdout: Annotated[int, typer.Option(min=1, help="Held-out playlists a seed.")] = 400,
    seeds: Annotated[str, typer.Option(help="Of the splits and the models: a,b,…")] = "0,1,2",
    models: Annotated[str, typer.Option(help="a,b,… or all")] = "all",
    peers: Annotated[str, typer.Option(help="a,b,… or all or none")] = "all",
    ablations: Annotated[
        bool, typer.Option(help="Also measure what each part of the ranker brings.")
    ] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write this file.")] = None,
) -> None:
    """Measure every model, the ranker and their peers; an interrupted run goes on."""
    from core.bench.contenders import our_contenders, our_ranker, peer_contenders
    from core.bench.quality import parse_seeds, stored_quality
    from core.bench.report import render
    from core.dataset.library import open_dataset, open_writable

    chosen, ranker = (our_contenders(models), peer_contenders(peers)), our_ranker(models)
    numbers = parse_seeds(seeds)
    open_dataset(_State.workspace, dataset)
    with _reported() as progress:
        opened = open_writable(_State.workspace, dataset)
        report = stored_quality(
            opened, *chosen, holdout, numbers, progress, ranker=ranker, ablations=ablations
        )
    if json_path:
        report.save(json_path)
    _say(render(report))


def _show_crawls(states: "Sequence[CrawlState]", as_json: bool) -> None:
    if as_json:
        _print_json([asdict(state) for state in states])
        return
    rows = [
        [
            state.name,
            state.title or state.start.address,
            *(f"{count:,}" for count in (state.requests, state.playlists, state.artists)),
            state.ending or "there is more to ask for",
        ]
        for state in states
    ]
    _table(["crawl", "from", "requests", "playlists", "artists", "state"], rows)


def _show_figures(name: str, figures: dict[str, float]) -> None:
    _table([name, ""], [[key, _figure(value)] for key, value in figures.items()])


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _show_trials(trials: "Sequence[Trial]", dataset: str, as_json: bool) -> None:
    """New and old figures on validation playlists, and how to go on."""
    if as_json:
        _print_json([asdict(trial) for trial in trials])
        return
    from core.training.trial import as_table

    _table(*as_table(trials))
    for trial in trials:
        if trial.comparison.note:
            _say(f"{trial.card.model}: {trial.comparison.note}")
    _say(
        f"Nothing is replaced yet: `python -m core models keep --dataset {dataset} MODEL`, or "
        "`models discard`."
    )


def _standing_table(standing: "Mapping[str, Standing]") -> tuple[list[str], list[list[str]]]:
    """Header and rows: what the ranker gains on each route, and whether it answers there."""
    rows = [
        [
            label,
            f"{one.playlists:,}",
            one.single,
            _interval(one.against_single),
            _interval(one.against_blend),
            "the ranker" if one.proven else "the fusion",
        ]
        for label, one in standing.items()
    ]
    return ["queries", "playlists", "best single", "to it", "to the fusion", "answers"], rows


def _interval(figure: tuple[float, float, float]) -> str:
    return f"{figure[0]:+.3f} [{figure[1]:+.3f}, {figure[2]:+.3f}]"


def _show_manifest(manifest: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(manifest)
        return
    counts = manifest["counts"]
    _say(
        f"{manifest['name']}: {counts['playlists']:,} playlists, {counts['entries']:,} entries, "
        f"{counts['tracks']:,} tracks, {counts['artists']:,} artists, from "
        f"{manifest['cleaning']['rows_read']:,} rows."
    )
    _say_changes(manifest["cleaning"]["changes"])


def _say_changes(changes: Sequence[dict[str, Any]]) -> None:
    """What cleaning dropped or changed, with the first example of each."""
    for change in changes:
        example = f" (first: {change['examples'][0]})" if change["examples"] else ""
        _say(f"  {change['what']}: {change['count']:,}{example}")


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[Sequence[str]] = ()
) -> None:
    """Columns as wide as their widest cell; nothing is cut. Lines `below` a row are indented."""
    if not rows:
        _say("None yet.")
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row, lines in zip_longest((header, *rows), ((), *below), fillvalue=()):
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells).rstrip())
        for line in lines:
            _say(f"    {line}")


def _stop(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + signal.SIGTERM)


def run() -> None:
    """Run the command line; a SegueError is one sentence on stderr and exit code 2.

    Asked to stop, it takes what is half written away.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except SegueError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    run()

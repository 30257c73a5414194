"""Speed and quality, measured beside peers."""

from typing import Annotated

import typer

from core.commands.shared import (
    Json,
    JsonFile,
    Models,
    Name,
    State,
    open_dataset,
    open_writable,
    print_json,
    print_table,
    say,
)
from core.progress import on_terminal

app = typer.Typer(
    name="bench",
    help="Measure speed and quality beside peers; without a command, all in one run.",
)

Searched = Annotated[int, typer.Option("--tracks", min=1_000, help="Tracks to search.")]
Slices = Annotated[int, typer.Option(min=4, help="Slices to import.")]


@app.callback(invoke_without_command=True)
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

    with on_terminal() as progress:
        served = app_benchmark(progress=progress)
        imported = import_benchmark(slices, progress=progress)
        searched = search_benchmark(tracks, progress=progress)
        report = small_quality(open_dataset("demo"), progress)
    if as_json:
        figures = {"import": imported, "search": searched, "quality": report.as_json()}
        print_json({"app": served.as_json()} | figures)
        return
    print_table(*served.table())
    say("")
    _show_figures("import", imported)
    _show_figures("search", searched)
    say(f"\n{render(report)}")


@app.command(name="import")
def bench_import(slices: Slices = 100, as_json: Json = False) -> None:
    """Measure importing beside json.load and pandas."""
    from core.bench.imports import import_benchmark

    with on_terminal() as progress:
        figures = import_benchmark(slices, progress=progress)
    if as_json:
        print_json(figures)
        return
    _show_figures("import", figures)


@app.command(name="search")
def bench_search(tracks: Searched = 2_000_000, as_json: Json = False) -> None:
    """Measure the text search beside a scan."""
    from core.bench.search import search_benchmark

    with on_terminal() as progress:
        figures = search_benchmark(tracks, progress=progress)
    if as_json:
        print_json(figures)
        return
    _show_figures("search", figures)


@app.command(name="app")
def bench_app(
    sessions: Annotated[int, typer.Option(min=1, help="Visitors at once.")] = 10,
    changes: Annotated[int, typer.Option(min=1, help="Dials turned.")] = 60,
    as_json: Json = False,
) -> None:
    """Measure the app's memory and its answer to a dial, beside a page of one slider."""
    from core.bench.app import app_benchmark

    with on_terminal() as progress:
        report = app_benchmark(sessions, changes, progress=progress)
    if as_json:
        print_json(report.as_json())
        return
    print_table(*report.table())


@app.command(name="serve")
def bench_serve(
    dataset: Name = "demo",
    clients: Annotated[int, typer.Option(min=1, help="At once.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="Of load.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Load the HTTP API, comparing every answer, and then a bare Starlette route."""
    from core.bench.serve import serve_benchmark

    with on_terminal() as progress:
        report = serve_benchmark(State.workspace, dataset, clients, seconds, progress=progress)
    if as_json:
        print_json(report.as_json())
    else:
        print_table(*report.table())
    report.require_met()


@app.command(name="quality")
def bench_quality(
    dataset: Name,
    holdout: Annotated[int, typer.Option(min=1, help="Held-out playlists a seed.")] = 400,
    seeds: Annotated[str, typer.Option(help="Of the splits and the models: a,b,…")] = "0,1,2",
    models: Models = "all",
    peers: Annotated[str, typer.Option(help="a,b,… or all or none")] = "all",
    ablations: Annotated[
        bool, typer.Option(help="Also measure what each part of the ranker brings.")
    ] = False,
    json_path: JsonFile = None,
) -> None:
    """Measure every model, the ranker and their peers; an interrupted run goes on."""
    from core.bench.contenders import our_contenders, our_ranker, peer_contenders
    from core.bench.quality import parse_seeds, stored_quality
    from core.bench.report import render

    chosen, ranker = (our_contenders(models), peer_contenders(peers)), our_ranker(models)
    numbers = parse_seeds(seeds)
    opened = open_writable(dataset)
    with on_terminal() as progress:
        report = stored_quality(
            opened, *chosen, holdout, numbers, progress, ranker=ranker, ablations=ablations
        )
    if json_path:
        report.save(json_path)
    say(render(report))


def _show_figures(name: str, figures: dict[str, float]) -> None:
    print_table([name, ""], [[key, _figure(value)] for key, value in figures.items()])


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"

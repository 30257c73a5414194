"""Models and settings, measured on held-out playlists."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared import (
    Json,
    JsonFile,
    Name,
    Seed,
    open_writable,
    print_json,
    print_table,
    say,
    warn,
)
from core.progress import on_terminal

if TYPE_CHECKING:
    from core.ranking.ranker import Standing

app = typer.Typer()


@app.command()
def evaluate(
    dataset: Name,
    holdout: Annotated[int, typer.Option(min=1, help="Held-out playlists.")] = 400,
    seed: Seed = 0,
    validation: Annotated[
        bool, typer.Option(help="Measure on validation playlists, for choosing settings.")
    ] = False,
    json_path: JsonFile = None,
) -> None:
    """Measure every trained model, refitted, on held-out playlists in ten categories."""
    from core.evaluation.dials import render as render_dials
    from core.evaluation.leaderboard import render
    from core.training.evaluate import evaluate_models, store_evaluation

    opened = open_writable(dataset)
    with on_terminal() as progress:
        found = evaluate_models(opened, holdout, seed, on_validation=validation, progress=progress)
    if not validation:
        store_evaluation(opened, found)
    if json_path:
        found.board.save(json_path)
    say(render(found.board))
    if found.standing:
        say("\nThe ranker on the playlists that it was judged on, R-precision:")
        print_table(*_standing_table(found.standing))
    say(f"\n{render_dials(found.dials)}")


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
    from core.training.grid import as_table, keep_best, require_metric
    from core.training.grid import grid as measure_points
    from core.training.settings import combinations, parse_values

    points = combinations(parse_values(model, settings or []))
    require_metric(metric)
    opened = open_writable(dataset)
    with on_terminal() as progress:
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
        warn(f"{model} {tried} could not be measured: {failure.reason}.")
    if as_json:
        print_json(result.as_json())
        return
    say(
        f"{model} on {dataset}: {result.validation_playlists} validation playlists, "
        f"{result.training_playlists:,} to learn from. Mean [95 % interval]; best first."
    )
    print_table(*as_table(result))


def _standing_table(standing: "Mapping[str, Standing]") -> tuple[list[str], list[list[str]]]:
    """Header and rows: what the ranker gains on each route, and whether it answers there."""
    from core.evaluation.metrics import Figure, figure_text

    rows = [
        [
            label,
            f"{one.playlists:,}",
            one.single,
            figure_text(Figure(*one.against_single), sign=True),
            figure_text(Figure(*one.against_blend), sign=True),
            "the ranker" if one.proven else "the fusion",
        ]
        for label, one in standing.items()
    ]
    return ["queries", "playlists", "best single", "to it", "to the fusion", "answers"], rows

"""Models fitted, maps laid out, training tables for other libraries."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared import (
    Json,
    Models,
    Name,
    Seed,
    open_dataset,
    open_writable,
    print_json,
    print_table,
    say,
)
from core.errors import SegueError
from core.progress import on_terminal

if TYPE_CHECKING:
    from core.training.trial import Trial

app = typer.Typer()


@app.command()
def train(
    dataset: Name,
    models: Models = "all",
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
    opened = open_writable(dataset)
    with on_terminal() as progress:
        if trial:
            tried = try_models(opened, names, preset, seed, progress, chosen)
        else:
            trained = train_models(opened, names, preset, seed, progress, settings=chosen)
    if trial:
        _show_trials(tried, dataset, as_json)
        return
    if as_json:
        print_json(trained)
        return
    rows = [[card.model, f"{card.seconds:.1f} s", f"{card.peak_mb:.0f} MB"] for card in trained]
    print_table(["model", "fit", "peak memory"], rows)
    for name in (*MODELS, RANKER) if models == "all" else ():
        if problem := why_not(name):
            say(f"{name} is left out. {problem}")


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
    from core.trained import load_model
    from core.training.maps import make_map, mapped_vectors, require_map

    require_map(model, method)
    opened = open_writable(dataset)
    with on_terminal() as progress:
        vectors = mapped_vectors(load_model(opened, model))
        card = make_map(opened, model, vectors, method, tracks=tracks, seed=seed, progress=progress)
    if as_json:
        print_json(card)
        return
    say(
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
    from core.dataset.training_table import export_training_table

    opened = open_dataset(dataset)
    with on_terminal() as progress:
        rows = export_training_table(opened, out, previous, progress)
    say(f"{out}: {rows:,} rows of a candidate and up to {previous} tracks before it.")


def _show_trials(trials: "Sequence[Trial]", dataset: str, as_json: bool) -> None:
    """New and old figures on validation playlists, and how to go on."""
    if as_json:
        print_json(trials)
        return
    from core.training.trial import as_table

    print_table(*as_table(trials))
    for trial in trials:
        if trial.comparison.note:
            say(f"{trial.card.model}: {trial.comparison.note}")
    say(
        f"Nothing is replaced yet: `python -m core models keep --dataset {dataset} MODEL`, or "
        "`models discard`."
    )

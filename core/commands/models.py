"""The trained models of a dataset."""

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
)

app = typer.Typer(name="models")

Trained = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or ranker.")]


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    as_json: Json = False,
) -> None:
    """List the trained models; keep, discard, choose or delete one."""
    if context.invoked_subcommand:
        return
    from core.trained import cards

    names = [dataset] if dataset else State.workspace.names()
    trained = {name: cards(open_dataset(name)) for name in names}
    if as_json:
        print_json(trained)
        return
    rows = [
        [name, card.model, f"{card.seconds:.1f} s", f"{card.peak_mb:.0f} MB", card.trained]
        for name, found in trained.items()
        for card in found
    ]
    print_table(["dataset", "model", "fit", "peak memory", "trained"], rows)


@app.command()
def keep(dataset: Name, model: Trained) -> None:
    """Use the model of a trial (`train --trial`) instead of the one in use."""
    from core.training.trial import keep as keep_trial

    keep_trial(open_writable(dataset), model)
    say(f"{model} on {dataset} is now as it was tried.")


@app.command()
def discard(dataset: Name, model: Trained) -> None:
    """Delete the model of a trial; the one in use stays."""
    from core.training.trial import discard as discard_trial

    discard_trial(open_writable(dataset), model)
    say(f"The trial of {model} on {dataset} is discarded.")


@app.command()
def default(
    dataset: Name,
    model: Annotated[
        str, typer.Argument(help="ranker, fusion, a model's name; or auto, the best there is.")
    ],
) -> None:
    """Choose what answers where no model is named."""
    from core.training.shelf import answers, choose_default

    opened = open_writable(dataset)
    choose_default(opened, None if model == "auto" else model)
    say(f"{dataset} is answered by {next(iter(answers(opened)), 'no model yet')}.")


@app.command(name="delete")
def delete_model_(dataset: Name, model: Trained) -> None:
    """Delete a trained model."""
    from core.training.shelf import delete_model

    delete_model(open_writable(dataset), model)
    say(f"{model} on {dataset} is deleted.")

"""The pipeline as a Metaflow flow."""

import typer

from core.commands.shared import State

app = typer.Typer()


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def flow(context: typer.Context) -> None:
    """Run the whole pipeline with Metaflow: run, resume, card view, argo-workflows.

    What follows goes to Metaflow as it is; after `flow queries`, to the flow that continues a large
    file of queries in parts.
    """
    from core.training.launch import launch

    name, arguments = "pipeline", context.args
    if arguments[:1] == ["queries"]:
        name, arguments = "queries", arguments[1:]
    launch(State.workspace, name, arguments)

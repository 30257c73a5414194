"""The HTTP API here, and endpoints of it elsewhere."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared import Json, State, print_json, say
from core.errors import SegueError
from core.progress import on_terminal

if TYPE_CHECKING:
    from core.serving.endpoint import Target

app = typer.Typer()

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
        say(f"Segue answers on {address}; {address}/openapi.json describes it.")
        sys.stdout.flush()

    serve_api(State.workspace, dataset, host, port, on_ready)


@app.command()
def deploy(
    folder: Folder, target: Place = "local", name: Endpoint = "segue", as_json: Json = False
) -> None:
    """Bring an endpoint up from a folder, and check it; what answers wrongly is rolled back."""
    from core.serving.endpoint import release

    there = _target(target, name)
    with on_terminal() as progress:
        report = release(there, folder, progress)
    if as_json:
        print_json({"address": there.address} | asdict(report))
        return
    say(f"{name} answers on {there.address}; {report.asked} known queries, all as here.")


@app.command()
def check(
    folder: Folder, target: Place = "local", name: Endpoint = "segue", as_json: Json = False
) -> None:
    """Ask an endpoint known queries, and compare with the answers from a folder here."""
    from core.serving.endpoint import check as check_endpoint
    from core.serving.endpoint import require_right

    there = _target(target, name)
    with on_terminal() as progress:
        report = check_endpoint(there, folder, progress)
    if as_json:
        print_json({"address": there.address} | asdict(report))
    require_right(report)
    if not as_json:
        say(f"{name} answers {report.asked} known queries as here, on {there.address}.")


@app.command()
def undeploy(target: Place = "local", name: Endpoint = "segue") -> None:
    """Take an endpoint down."""
    _target(target, name).stop()
    say(f"{name} is down.")


def _target(kind: str, name: str) -> "Target":
    from core.serving.endpoint import target_of

    found = target_of(kind, name, State.workspace.folder)
    if found is None:
        raise SegueError("Name a target: local or sagemaker.")
    return found

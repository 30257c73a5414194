"""Playlists continued: one, or all of a challenge."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.shared import Json, Model, Name, open_dataset, print_json, print_table, say, warn
from core.errors import SegueError
from core.progress import on_terminal

if TYPE_CHECKING:
    from core.query import Answer

app = typer.Typer()


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
    from core.training.submit import write_answers

    opened = open_dataset(dataset)
    with on_terminal() as progress:
        report = write_answers(opened, challenge, out, model, team, email, progress)
    say(f"{out}: {report.sentence(dataset)}")


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
    from core.dataset.matching import artists_named
    from core.ordering import Dials, parse_years
    from core.query import Query, answer
    from core.spotify.seeds import SeedFinder
    from core.trained import load_recommender

    opened = open_dataset(dataset)
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
    with on_terminal() as progress:
        finder = SeedFinder(opened, progress)
        seeds, likes, dislikes = (finder.find(texts or []) for texts in (seed_track, like, dislike))
    for sentence in (*seeds.said, *likes.said, *dislikes.said):
        warn(sentence)
    recommender = load_recommender(opened)
    query = Query(seeds.report, title, k, model, dials, likes.report, dislikes.report, reasons=why)
    given = answer(recommender, query)
    if as_json:
        print_json(given.as_json())
        return
    if opened.manifest["simulated"]:
        say(f"{dataset} is simulated: its tracks and artists are invented.")
    for note in given.found.notes:
        say(note)
    for track in (*seeds.missing, *likes.missing, *dislikes.missing):
        say(f"Not found: {track.artist or '?'} - {track.title or track.uri}")
    _print_tracks(given)


def _print_tracks(given: "Answer") -> None:
    """What plays next, and below each track why, where that was asked."""
    from core.reasons import sentences

    names = given.columns()
    rows = [
        [str(place), artist or "?", title or "?"]
        for place, (artist, title) in enumerate(
            zip(names["artist_name"], names["title"], strict=True), 1
        )
    ]
    reasons = given.reasons
    below = [sentences(reasons, i) for i in range(len(rows))] if reasons else ()
    print_table(["", "artist", "title"], rows, below)

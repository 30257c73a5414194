"""What the tests of the crawler share: a small world of playlists, and a look at what was asked."""

import os
import signal
from dataclasses import replace

import pyarrow.parquet as pq

from core.dataset.links import Link
from core.progress import SILENT
from core.spotify.client import Patience
from core.spotify.crawling.crawl import crawl

QUICK = Patience(attempts=3, pause_s=0.001, timeout_s=2, longest_wait_s=5)
HASTY = replace(QUICK, longest_wait_s=0.01)
KEPT = "What was answered is kept; `python -m core crawl --name crawled` goes on."


def plant(fake) -> dict[str, str]:
    """Add the playlists and give their ids by name.

    Of the start's tracks Ada has three, Cy two, Bo and Dee one each, Bo's before Dee's.
    """
    names = ("Ada", "Bo", "Cy", "Dee", "Eve", "Flo")
    songs = {name: [fake.add_track(f"{name} {n}", name) for n in range(3)] for name in names}
    lists = {
        "start": [*songs["Bo"][:1], *songs["Cy"][:2], *songs["Ada"], *songs["Dee"][:1]],
        "with Eve": [*songs["Eve"][:2], songs["Cy"][2]],
        "with Dee": [songs["Dee"][1], songs["Dee"][2], songs["Ada"][0]],
        "with Flo": [songs["Flo"][0], songs["Eve"][0]],
    }
    return {name: fake.add_playlist(name, tracks) for name, tracks in lists.items()}


def go(workspace, world=None, bounds=None, patience=QUICK, progress=SILENT):
    """Crawl from the start of the world, or go on."""
    start = Link("playlist", world["start"]) if world else None
    return crawl(
        workspace, "crawled", start, bounds, pause_s=0, patience=patience, progress=progress
    )


def asked(fake) -> list[str]:
    """What was answered, in order: "playlist NAME", "read NAME OFFSET" or "search ARTIST"."""
    names = {key: playlist.name for key, playlist in fake.playlists.items()}
    said = []
    for one in fake.requests:
        parts = one.path.split("/")
        if one.status != 200 or parts[1] != "v1":
            continue
        if parts[2] == "search":
            said.append(f"search {one.query['q']}")
        elif len(parts) == 4:
            said.append(f"playlist {names[parts[3]]}")
        else:
            said.append(f"read {names[parts[3]]} {one.query['offset']}")
    return said


WHOLE = [
    "playlist start",
    "read start 0",
    "search Ada",
    "search Cy",
    "search Bo",
    "search Dee",
    "read with Dee 0",
    "read with Eve 0",
    "search Eve",
    "read with Flo 0",
]


def tables(workspace) -> list:
    """What the dataset holds, to be compared."""
    folder = workspace.path("crawled")
    names = ("playlists", "entries", "tracks", "artists")
    return [pq.read_table(folder / f"{name}.parquet").to_pydict() for name in names]


def terminate() -> None:
    """Send this process the signal that ends a job."""
    os.kill(os.getpid(), signal.SIGTERM)

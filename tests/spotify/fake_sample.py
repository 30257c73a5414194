"""What the fake serves to someone who looks at the app by hand: made up, or of a table."""

import csv
from pathlib import Path

from tests.spotify.fake_catalogue import Catalogue

_STYLES = {
    "Slow mornings": ("Mara Linde", "The Quiet Hours", "Osk"),
    "Night drive": ("Neon Harbour", "Osk", "Vela Nine"),
    "Loud": ("Brick Parade", "Vela Nine", "Ten Wolves"),
}
_SONGS = ("Arrival", "Glass", "Home Again", "Low Tide", "Signals", "Under Lamps", "Winter Sun")


def fill(catalogue: Catalogue) -> list[str]:
    """Add three playlists that share artists, one with things that are no tracks; their ids."""
    made = {
        (artist, song): catalogue.add_track(
            song,
            artist,
            album=f"{artist} I",
            popularity=90 - 10 * number,
            features={"danceability": 0.4 + 0.07 * number, "energy": 0.5, "tempo": 100 + number},
        )
        for artist in dict.fromkeys(artist for artists in _STYLES.values() for artist in artists)
        for number, song in enumerate(_SONGS)
    }
    playlists: dict[str, list[str | None]] = {
        name: [key for (artist, _), key in made.items() if artist in artists]
        for name, artists in _STYLES.items()
    }
    odd = [None, catalogue.local_file("Demo tape", "Osk"), catalogue.episode("On mornings")]
    playlists["Slow mornings"][2:2] = odd
    return [catalogue.add_playlist(name, tracks) for name, tracks in playlists.items()]


def fill_from(catalogue: Catalogue, table: Path) -> list[str]:
    """Add the tracks of a CSV with the columns id, title and artist as one playlist; its id."""
    with table.open(newline="", encoding="utf-8") as lines:
        tracks = [
            catalogue.add_track(line["title"], line["artist"], id=line["id"])
            for line in csv.DictReader(lines)
        ]
    return [catalogue.add_playlist(table.stem, tracks)]

"""Join what is known of artists into a dataset."""

from dataclasses import asdict, dataclass
from pathlib import Path

from core.dataset.dataset import Dataset
from core.dataset.joins import ARTIST_FACTS, SQL_TYPES, Origin, coverage, rewrite, rows
from core.dataset.tables import literal, no_glob, stage
from core.progress import SILENT, Progress


@dataclass(frozen=True)
class ArtistReport:
    """What a join did.

    Attributes
    ----------
    table : str
        What the values come from.
    licence : str
        What may be done with them.
    by_id : int
        Artists of the dataset that the table has.
    artist_facts_before, artist_facts : dict of str to float
        Share of the artists that have each of `joins.ARTIST_FACTS`, before and afterwards.
    """

    table: str
    licence: str
    by_id: int
    artist_facts_before: dict[str, float]
    artist_facts: dict[str, float]


def join_artists(
    dataset: Dataset, path: Path, origin: Origin, progress: Progress = SILENT
) -> ArtistReport:
    """Fill gaps of the dataset's artists from a table; see `joins.rewrite` for crashes.

    A table that brings nothing new leaves the files alone.

    Parameters
    ----------
    dataset : Dataset
        The one to extend, on disk; open it again to see what it knows now.
    path : Path
        Parquet with `uri`, an artist of the dataset each once, and all of `joins.ARTIST_FACTS`:
        genres as one text, followers, popularity in percent.
    origin : Origin
        The record names it and its licence.
    progress : Progress
    """
    before = coverage(dataset.folder, ARTIST_FACTS, "artists")
    progress.update("Writing artists", None)
    with stage() as connection:
        filled = ", ".join(
            f"coalesce(old.{name}, found.{name}::{kind}) AS {name}"
            for name, kind in SQL_TYPES["artists"].items()
        )
        connection.execute(
            f"""CREATE TABLE merged AS
            SELECT old.file_row_number AS id, found.uri IS NOT NULL AS is_found, {filled}
            FROM {rows(dataset.folder, "artists")} AS old
            LEFT JOIN read_parquet({literal(no_glob(path))}) AS found USING (uri)"""
        )
        shares = ", ".join(f"count({name}) / count(*)" for name in ARTIST_FACTS)
        found, *known = connection.execute(
            f"SELECT count(*) FILTER (is_found), {shares} FROM merged"
        ).fetchall()[0]
        now = dict(zip(ARTIST_FACTS, known, strict=True))
        report = ArtistReport(origin.source, origin.licence, found, before, now)
        if now != before:
            rewrite(connection, dataset.folder, "artists", ARTIST_FACTS, asdict(report), progress)
    return report

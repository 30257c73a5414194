"""The ten-category protocol: masks playlists, completes lists, reads and writes the public files.

The categories, the shares and the file formats are those of the RecSys Challenge 2018 and its
continuation (https://www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge).
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.metrics import LENGTH
from core.retrieval.base import Queries
from core.workspace import atomic_file


@dataclass(frozen=True)
class Category:
    """What a query of one category shows: a title or none, and some seeds.

    Attributes
    ----------
    label : str
        As the challenge names it.
    short : str
        For narrow columns.
    titled : bool
    seeds : int
    scattered : bool
        Whether the seeds are a random sample of the playlist, in its order, or its first tracks.
    """

    label: str
    short: str
    titled: bool
    seeds: int
    scattered: bool = False


CATEGORIES = (
    Category("title only", "title", True, 0),
    Category("title + first 1", "t+1", True, 1),
    Category("title + first 5", "t+5", True, 5),
    Category("first 5", "5", False, 5),
    Category("title + first 10", "t+10", True, 10),
    Category("first 10", "10", False, 10),
    Category("title + first 25", "t+25", True, 25),
    Category("title + random 25", "t+r25", True, 25, scattered=True),
    Category("title + first 100", "t+100", True, 100),
    Category("title + random 100", "t+r100", True, 100, scattered=True),
)

BATCH = 250
"""Queries that are answered together. What cuts a challenge cuts it between batches: sums of
floating-point numbers may differ in the last digit with the size of a batch."""

# Sets of categories are the bits of an integer; whether each two of them share a category.
_SETS = np.arange(2 ** len(CATEGORIES))
_MEET = (_SETS[:, None] & _SETS) > 0


@dataclass(frozen=True)
class Challenge:
    """Held-out playlists, masked.

    Attributes
    ----------
    queries : Queries
        What a system sees: seeds in playlist order, and the title in titled categories.
    hidden : sequence of int32 arrays
        What it should find, in playlist order; at least one track each. Tracks that no training
        playlist holds are among them, and count as misses.
    category : int64 array, shape (B,)
        Index in `CATEGORIES`.
    rows : int64 array, shape (B,)
        Row of each playlist in the dataset that was split.
    """

    queries: Queries
    hidden: Sequence[np.ndarray]
    category: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Self:
        return type(self)(
            self.queries[part], self.hidden[part], self.category[part], self.rows[part]
        )


@dataclass(frozen=True)
class Split:
    """A dataset in three parts that share no playlist.

    Attributes
    ----------
    train : Dataset
        View with the remaining playlists; same tracks and ids.
    validation : Challenge or None
        For settings and early stopping.
    test : Challenge
        To be touched once.
    """

    train: Dataset
    validation: Challenge | None
    test: Challenge


def split(
    dataset: Dataset,
    holdout: int,
    seed: int = 0,
    validation: int = 0,
    apart: Iterable[int] = (),
) -> Split:
    """Hold out playlists, one category each, in shares as equal as lengths and titles allow.

    A playlist can serve a category if it has more tracks than the category's seeds and, where the
    category shows one, a title. The same dataset, holdout and seed give the same test playlists
    whatever the size of the validation set.

    Parameters
    ----------
    dataset : Dataset
    holdout : int
        Test playlists, 1 or more.
    seed : int
    validation : int
        Validation playlists; 0 for none.
    apart : iterable of int
        Other seeds whose test playlists are not validated on either, so that settings chosen here
        are untouched by any of these tests.

    Raises
    ------
    SegueError
        If the dataset has too few playlists that can be held out, or none would be left to learn
        from.
    """
    if holdout < 1 or validation < 0:
        raise SegueError("An evaluation needs at least one held-out playlist.")
    serves = _serves(dataset)
    test_seed, validation_seed = np.random.SeedSequence(seed).spawn(2)
    test = _hold_out(dataset, serves, holdout, test_seed)
    serves[test.rows] = 0
    for other in apart:
        serves[split(dataset, holdout, other).test.rows] = 0
    held_back = _hold_out(dataset, serves, validation, validation_seed) if validation else None
    rest = np.ones(dataset.n_playlists, bool)
    rest[test.rows] = False
    if held_back:
        rest[held_back.rows] = False
    if not rest.any():
        raise SegueError(
            f"Holding out all {dataset.n_playlists} playlists of {dataset.name} leaves none to "
            "learn from; hold out fewer."
        )
    return Split(dataset.select(np.flatnonzero(rest)), held_back, test)


def _serves(dataset: Dataset) -> np.ndarray:
    """The set of categories that each playlist can serve, int64 bits, shape (n_playlists,)."""
    lengths = dataset.playlists.lengths
    titled = np.array([bool(title and title.strip()) for title in dataset.playlists.titles], bool)
    serves = np.zeros(len(lengths), np.int64)
    for index, category in enumerate(CATEGORIES):
        able = (lengths > category.seeds) & (titled | (not category.titled))
        serves |= able.astype(np.int64) << index
    return serves


def _hold_out(
    dataset: Dataset, serves: np.ndarray, holdout: int, seed: np.random.SeedSequence
) -> Challenge:
    generator = np.random.default_rng(seed)
    # Playlists that can serve at least one category of each set.
    supply = _MEET @ np.bincount(serves, minlength=len(_SETS))
    shares, slack = _shares(supply, holdout)
    if shares.sum() < holdout:
        raise SegueError(
            f"{dataset.name} has {shares.sum()} playlists that can be held out, not {holdout}: "
            "hold out fewer."
        )
    category = _deal(serves, shares, slack, generator)
    rows = np.flatnonzero(category >= 0)
    return _mask(dataset, rows, category[rows], generator)


def _shares(supply: np.ndarray, holdout: int) -> tuple[np.ndarray, np.ndarray]:
    """Playlists a category, as equal as can be.

    The categories take turns until the total is reached; one leaves when another playlist for it
    would leave too few for some set of categories. By Hall's marriage theorem nothing else stands
    in the way.

    Returns
    -------
    shares : int64 array, shape (10,)
        Sum at most `holdout`.
    slack : int64 array, shape (2^10,)
        Playlists that each set of categories could still spare.
    """
    slack = supply.copy()
    shares = np.zeros(len(CATEGORIES), np.int64)
    takers = list(range(len(CATEGORIES)))
    while takers:
        for category in tuple(takers):
            if shares.sum() == holdout:
                return shares, slack
            concerned = _MEET[1 << category]
            if slack[concerned].min() < 1:
                takers.remove(category)
                continue
            slack[concerned] -= 1
            shares[category] += 1
    return shares, slack


def _deal(
    serves: np.ndarray, shares: np.ndarray, slack: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw each category's share at random, the scarcest category first.

    A playlist that a later category cannot do without is passed over, so all shares are met.

    Returns
    -------
    int64 array, shape (n_playlists,): the category, -1 where the playlist stays
    """
    dealt = np.full(len(serves), -1, np.int64)
    able = [np.flatnonzero(serves & (1 << index)) for index in range(len(CATEGORIES))]
    for category in sorted(range(len(CATEGORIES)), key=lambda index: len(able[index])):
        missing = shares[category]
        needed_elsewhere = np.zeros(len(_SETS), bool)
        free = able[category][dealt[able[category]] < 0]
        for row in generator.permutation(free):
            if not missing:
                break
            kind = serves[row]
            if needed_elsewhere[kind]:
                continue
            after = slack + _MEET[1 << category] - _MEET[kind]
            if after.min() < 0:
                needed_elsewhere[kind] = True
                continue
            slack, missing = after, missing - 1
            dealt[row] = category
    return dealt


def masked(dataset: Dataset, rows: np.ndarray, times: int, seed: int) -> Challenge:
    """Mask playlists as the protocol does, each in several categories that it can serve.

    Of these, the categories that fewer playlists can serve are drawn more often, so that all have
    as equal shares as lengths allow.

    Parameters
    ----------
    dataset : Dataset
    rows : int array
        Playlists; those that serve no category are left out.
    times : int
        Categories of a playlist at most.
    seed : int

    Returns
    -------
    Challenge
        A playlist's masks one after the other.
    """
    generator = np.random.default_rng(seed)
    bits = 1 << np.arange(len(CATEGORIES))
    able = (_serves(dataset)[rows, None] & bits) > 0
    chance = able / np.maximum(able.sum(axis=0), 1)
    # The largest of u^(1/p) are a sample without replacement with chances p (Efraimidis and
    # Spirakis, 2006, https://doi.org/10.1016/j.ipl.2005.11.003).
    draw = np.where(able, np.log(generator.random(able.shape)) / np.maximum(chance, 1e-12), -np.inf)
    chosen = np.argsort(-draw, axis=1)[:, :times]
    kept = np.take_along_axis(able, chosen, axis=1)
    return _mask(dataset, np.repeat(rows, kept.sum(axis=1)), chosen[kept], generator)


def _mask(
    dataset: Dataset, rows: np.ndarray, category: np.ndarray, generator: np.random.Generator
) -> Challenge:
    seeds, hidden, titles = [], [], []
    for row, kind in zip(rows, (CATEGORIES[index] for index in category), strict=True):
        tracks = np.array(dataset.playlists[row])
        shown = np.zeros(len(tracks), bool)
        if kind.scattered:
            shown[generator.choice(len(tracks), kind.seeds, replace=False)] = True
        else:
            shown[: kind.seeds] = True
        seeds.append(tracks[shown])
        hidden.append(tracks[~shown])
        titles.append(dataset.playlists.titles[row] if kind.titled else None)
    return Challenge(Queries(seeds, titles), hidden, category, rows)


def complete(ids: np.ndarray, queries: Queries, popular: np.ndarray) -> np.ndarray:
    """Fill lists to 500 with the most popular tracks that are neither in them nor seeds.

    Parameters
    ----------
    ids : int32 array, shape (B, K), distinct within a row, padded with -1 at the end
        What comes after 500 is cut.
    queries : Queries
        What each list answers.
    popular : int32 array, shape (n_tracks,)
        Track ids by falling popularity, such as `Dataset.by_popularity`.

    Returns
    -------
    int32 array, shape (B, 500); -1 at the end where the dataset has too few tracks
    """
    ids = ids[:, :LENGTH]
    # So many that enough remain when all of a list and of its seeds are popular.
    reach = popular[: LENGTH + ids.shape[1] + queries.lengths.max(initial=0)]
    rank = np.full(len(popular), -1, np.int64)
    rank[reach] = np.arange(len(reach))

    free = np.ones((len(ids), len(reach)), bool)
    seed_rows, seed_tracks = queries.flat()
    rows = np.concatenate([np.nonzero(ids >= 0)[0], seed_rows])
    tracks = np.concatenate([ids[ids >= 0], seed_tracks])
    near = rank[tracks] >= 0
    free[rows[near], rank[tracks[near]]] = False

    both = np.hstack([ids, np.where(free, reach, -1)]).astype(np.int32)
    first = np.argsort(both < 0, axis=1, kind="stable")[:, :LENGTH]
    full = np.take_along_axis(both, first, axis=1)
    return np.pad(full, ((0, 0), (0, LENGTH - full.shape[1])), constant_values=-1)


@dataclass(frozen=True)
class PublicChallenge:
    """Queries of a challenge file.

    Attributes
    ----------
    queries : Queries
        Seeds that the dataset knows, in order.
    pids : list of int
        The file's playlist ids, distinct.
    unknown_seeds : int
        Seeds that the dataset does not know, left out of the queries.
    """

    queries: Queries
    pids: list[int]
    unknown_seeds: int

    def __len__(self) -> int:
        return len(self.pids)


def read_challenge(path: Path, dataset: Dataset) -> PublicChallenge:
    """Read the public `challenge_set.json`.

    A playlist has a `pid`, may have a `name`, and has `tracks`, each with a `track_uri` and a
    `pos`; other fields are ignored, and seeds repeated in a playlist count once.

    Raises
    ------
    SegueError
        If the file is unreadable or a field is missing or of the wrong type; the sentence names
        file, playlist and field.
    """
    pids: dict[int, None] = {}
    titles: list[str | None] = []
    uris: list[list[str]] = []
    for index, playlist in enumerate(_challenge_playlists(path)):
        where = f"{path}, playlist {index}"
        pid = _field(playlist, "pid", int, where)
        where = f"{path}, playlist with pid {pid}"
        if pid in pids:
            raise SegueError(f"{where}: pid occurs twice; each playlist needs its own.")
        pids[pid] = None
        titles.append(_field(playlist, "name", str, where, optional=True))
        uris.append(_seed_uris(playlist, where))
    known = _known_ids(dataset, (uri for seeds in uris for uri in seeds))
    seeds = [np.array([known[uri] for uri in row if known[uri] >= 0], np.int32) for row in uris]
    unknown = sum(map(len, uris)) - sum(map(len, seeds))
    return PublicChallenge(Queries(seeds, titles), list(pids), unknown)


def _challenge_playlists(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SegueError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise SegueError(
            f"{path} is not valid JSON ({error}); download the challenge set again."
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("playlists"), list):
        raise SegueError(f"{path} is no challenge set: it has no list `playlists`.")
    return content["playlists"]


def _seed_uris(playlist: dict[str, Any], where: str) -> list[str]:
    """Distinct track uris in the order of their positions."""
    tracks = _field(playlist, "tracks", list, where)
    placed = []
    for index, track in enumerate(tracks):
        here = f"{where}, track {index}"
        uri = _field(track, "track_uri", str, here)
        position = _field(track, "pos", int, here, optional=True)
        placed.append((index if position is None else position, uri))
    placed.sort(key=lambda place: place[0])
    return list(dict.fromkeys(uri for _, uri in placed))


def _field(record: Any, name: str, kind: type, where: str, optional: bool = False) -> Any:
    """A field of a JSON object, of the given type; None where an optional one is absent."""
    if not isinstance(record, dict):
        raise SegueError(f"{where} is {_json_type(record)}, not an object with fields.")
    value = record.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        found = "missing" if name not in record else _json_type(value)
        raise SegueError(f"{where}: {name} is {found}, not {_JSON_TYPES[kind]}.")
    return value


_JSON_TYPES = {
    int: "a whole number",
    str: "text",
    list: "a list",
    dict: "an object",
    float: "a fraction",
    bool: "true or false",
    type(None): "null",
}


def _json_type(value: Any) -> str:
    return _JSON_TYPES[type(value)]


def _known_ids(dataset: Dataset, uris: Iterable[str]) -> dict[str, int]:
    """Track id of each distinct uri, -1 where the dataset has none."""
    distinct = list(dict.fromkeys(uris))
    return dict(zip(distinct, dataset.ids_of(distinct).tolist(), strict=True))


def write_challenge(path: Path, dataset: Dataset, challenge: Challenge) -> None:
    """Write held-out playlists as the public `challenge_set.json`, without what is hidden.

    The pid of a playlist is its row in the dataset.

    Parameters
    ----------
    path : Path
    dataset : Dataset
        The dataset that was split, not its training view.
    challenge : Challenge
    """
    playlists = [_challenge_playlist(dataset, challenge, at) for at in range(len(challenge))]
    content = {"name": dataset.name, "version": "v1", "playlists": playlists}
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")


def _challenge_playlist(dataset: Dataset, challenge: Challenge, at: int) -> dict[str, Any]:
    row = int(challenge.rows[at])
    seeds, title = challenge.queries.seeds[at], challenge.queries.titles[at]
    positions = np.flatnonzero(np.isin(dataset.playlists[row], seeds)).tolist()
    columns = {
        "track_uri": dataset.values("uri", seeds),
        "track_name": dataset.values("title", seeds),
        "artist_name": dataset.values("artist_name", seeds),
    }
    tracks = [
        {"pos": position} | dict(zip(columns, values, strict=True))
        for position, *values in zip(positions, *columns.values(), strict=True)
    ]
    hidden = len(challenge.hidden[at])
    return ({} if title is None else {"name": title}) | {
        "pid": row,
        "num_tracks": len(seeds) + hidden,
        "num_samples": len(seeds),
        "num_holdouts": hidden,
        "tracks": tracks,
    }


def write_submission(
    path: Path, pids: Sequence[int], uris: Iterable[Sequence[str]], team: str, email: str
) -> None:
    """Write a submission, whole or not at all.

    First row `team_info,<team>,<email>`, then `pid, uri1, …, uri500` a playlist.

    Parameters
    ----------
    path : Path
    pids : sequence of int
    uris : iterable of 500 uris a playlist, best first
    team, email : str
    """
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["team_info", team, email])
        writer.writerows([pid, *row] for pid, row in zip(pids, uris, strict=True))


def verify_submission(
    path: Path, challenge: PublicChallenge, dataset: Dataset, called: str = ""
) -> None:
    """Check that a submission answers a challenge as its rules ask.

    One row a playlist of the challenge, each with 500 distinct tracks of the dataset, no seed
    among them. Empty lines and lines that start with # are ignored, as the challenge does.

    Parameters
    ----------
    path : Path
    challenge : PublicChallenge
    dataset : Dataset
    called : str
        What the sentence calls the file; its path by default.

    Raises
    ------
    SegueError
        One sentence on the first row that breaks a rule.
    """
    called = called or str(path)
    seeds = dict(zip(challenge.pids, challenge.queries.seeds, strict=True))
    known: dict[str, int] = {}
    rows = _submission_rows(path)
    while lines := list(islice(rows, 1000)):
        fresh = {uri for _, _, uris in lines for uri in uris if uri not in known}
        known |= _known_ids(dataset, fresh)
        for line, pid, uris in lines:
            where = f"{called}, line {line}, pid {pid}"
            row_seeds = seeds.pop(int(pid), None) if pid.isdecimal() else None
            if row_seeds is None:
                raise SegueError(
                    f"{where}: the challenge has no such playlist, or an earlier row answers it."
                )
            _verify_list(uris, np.array([known[uri] for uri in uris]), row_seeds, where)
    if seeds:
        raise SegueError(
            f"{called} has no row for {len(seeds)} of {len(challenge)} playlists, the first with "
            f"pid {next(iter(seeds))}."
        )


def _submission_rows(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, pid and uris of each row, after the team's."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, skipinitialspace=True)
            rows = ((reader.line_num, [field.strip() for field in row]) for row in reader)
            rows = ((line, row) for line, row in rows if any(row) and row[0][:1] != "#")
            _, first = next(rows, (0, [""]))
            if first[0] != "team_info" or len(first) != 3:
                raise SegueError(f"{path} does not start with `team_info,<name>,<email>`.")
            yield from ((line, row[0], row[1:]) for line, row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegueError(f"{path} cannot be read as a submission: {error}.") from error


def _verify_list(uris: list[str], ids: np.ndarray, seeds: np.ndarray, where: str) -> None:
    if len(uris) != LENGTH:
        raise SegueError(f"{where}: {len(uris)} tracks, not {LENGTH}.")
    if len(set(uris)) != LENGTH:
        raise SegueError(f"{where}: {LENGTH - len(set(uris))} of the tracks are repeated.")
    if (ids < 0).any():
        raise SegueError(f"{where}: {uris[int(ids.argmin())]} is not in the dataset.")
    if np.isin(ids, seeds).any():
        raise SegueError(f"{where}: {uris[int(np.isin(ids, seeds).argmax())]} is a seed.")

"""Masking, completing, and the challenge's two files."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.dataset import Playlists
from core.errors import SegueError
from core.evaluation.challenge import (
    CATEGORIES,
    complete,
    masked,
    read_challenge,
    split,
    verify_submission,
    write_challenge,
    write_submission,
)
from core.retrieval.base import Queries


@pytest.fixture(scope="module")
def mixed(make_dataset):
    """120 titled playlists of 101 to 220 tracks, 80 of 3 to 30, half of them without a title."""
    random = np.random.default_rng(0)
    lengths = [*range(101, 221), *random.integers(3, 31, 80)]
    playlists = [[f"{t:03}" for t in random.choice(700, n, replace=False)] for n in lengths]
    titles = [f"title {i}" for i in range(120)] + [None if i % 2 else "short" for i in range(80)]
    return make_dataset(playlists, titles, name="mixed")


def same(left, right):
    return (
        left.rows.tolist() == right.rows.tolist()
        and left.category.tolist() == right.category.tolist()
        and all(map(np.array_equal, left.queries.seeds, right.queries.seeds))
        and all(map(np.array_equal, left.hidden, right.hidden))
    )


def test_categories_are_the_ten_of_the_protocol():
    assert [category.label for category in CATEGORIES] == [
        "title only",
        "title + first 1",
        "title + first 5",
        "first 5",
        "title + first 10",
        "first 10",
        "title + first 25",
        "title + random 25",
        "title + first 100",
        "title + random 100",
    ]


def test_a_query_shows_what_its_category_says(mixed):
    challenge = split(mixed, 100, seed=1).test
    for seeds, title, hidden, index, row in zip(
        challenge.queries.seeds,
        challenge.queries.titles,
        challenge.hidden,
        challenge.category,
        challenge.rows,
        strict=True,
    ):
        category, tracks = CATEGORIES[index], mixed.playlists[row].tolist()
        assert len(seeds) == category.seeds
        assert title == (mixed.playlists.titles[row] if category.titled else None)
        assert title is not None or not category.titled
        assert len(hidden) >= 1
        # Both parts keep the playlist's order, and together they are the playlist.
        assert sorted([*seeds, *hidden]) == sorted(tracks)
        assert [*map(tracks.index, seeds)] == sorted(map(tracks.index, seeds))
        assert [*map(tracks.index, hidden)] == sorted(map(tracks.index, hidden))
        if not category.scattered:
            assert seeds.tolist() == tracks[: category.seeds]


def test_each_mask_is_one_that_the_playlist_can_serve(mixed):
    rows = np.arange(mixed.n_playlists)
    challenge = masked(mixed, rows, 4, seed=1)
    for seeds, title, hidden, index, row in zip(
        challenge.queries.seeds,
        challenge.queries.titles,
        challenge.hidden,
        challenge.category,
        challenge.rows,
        strict=True,
    ):
        category = CATEGORIES[index]
        assert len(seeds) == category.seeds
        assert len(hidden) >= 1
        assert title == (mixed.playlists.titles[row] if category.titled else None)
        assert title is not None or not category.titled
        assert sorted([*seeds, *hidden]) == sorted(mixed.playlists[row].tolist())


def test_a_playlist_has_as_many_distinct_masks_as_it_can_serve_but_no_more_than_asked(mixed):
    rows = np.arange(mixed.n_playlists)
    challenge = masked(mixed, rows, 4, seed=1)
    masks = list(zip(challenge.rows.tolist(), challenge.category.tolist(), strict=True))
    assert len(set(masks)) == len(masks)
    assert (np.diff(challenge.rows) >= 0).all()
    counts = np.bincount(challenge.rows, minlength=mixed.n_playlists)
    for row, (length, title) in enumerate(
        zip(mixed.playlists.lengths, mixed.playlists.titles, strict=True)
    ):
        able = [length > one.seeds and (title is not None or not one.titled) for one in CATEGORIES]
        assert counts[row] == min(sum(able), 4)


def test_masks_have_as_equal_shares_as_lengths_allow(mixed):
    def shares(rows):
        drawn = [masked(mixed, rows, 3, seed).category for seed in range(20)]
        return np.bincount(np.concatenate(drawn), minlength=10)

    long, everyone = shares(np.arange(120)), shares(np.arange(mixed.n_playlists))
    # The first 120 can serve all categories; the others leave the long ones to them.
    assert long.min() > 0.9 * long.mean()
    assert long.max() < 1.1 * long.mean()
    assert (everyone[6:] > 1.05 * long[6:]).all()


def test_masks_depend_on_the_seed_alone(mixed):
    rows = np.arange(40, 160)
    challenge = masked(mixed, rows, 2, seed=1)
    assert same(challenge, masked(mixed, rows, 2, seed=1))
    assert not same(challenge, masked(mixed, rows, 2, seed=2))
    assert set(challenge.rows) <= set(rows)


def test_playlists_that_serve_no_category_are_left_out(make_dataset):
    dataset = make_dataset([["a"], ["a", "b", "c", "d", "e"], ["a", "b"]], [None, " ", "title"])
    challenge = masked(dataset, np.arange(3), 4, seed=0)
    assert set(challenge.rows.tolist()) == {2}
    assert sorted(CATEGORIES[one].label for one in challenge.category) == [
        "title + first 1",
        "title only",
    ]
    assert len(masked(dataset, np.arange(2), 4, seed=0)) == 0
    assert len(masked(dataset, np.empty(0, int), 4, seed=0)) == 0


def test_scattered_seeds_are_not_the_first(mixed):
    challenge = split(mixed, 100, seed=1).test
    scattered = [CATEGORIES[index].scattered for index in challenge.category]
    starts = [
        np.array_equal(mixed.playlists[row][: len(seeds)], seeds)
        for row, seeds, here in zip(challenge.rows, challenge.queries.seeds, scattered, strict=True)
        if here
    ]
    assert starts
    assert not any(starts)


def test_shares_are_equal_where_lengths_allow(mixed):
    assert Counter(split(mixed, 100).test.category.tolist()) == dict.fromkeys(range(10), 10)
    shares = Counter(split(mixed, 103).test.category.tolist())
    assert sorted(shares.values()) == [10] * 7 + [11] * 3


def test_scarce_playlists_go_to_the_categories_that_need_them(make_dataset):
    # Six can serve every category, 30 all but the two with 100 seeds, 30 only those with fewer
    # than ten; the last 30 have no title.
    lengths = [120] * 6 + [30] * 30 + [8] * 30 + [12] * 30
    titles = ["a"] * 66 + [None] * 30
    tracks = [f"{t:03}" for t in range(120)]
    dataset = make_dataset([tracks[:n] for n in lengths], titles)
    shares = np.bincount(split(dataset, 80).test.category, minlength=10)
    assert shares[8:].tolist() == [3, 3]
    assert shares[:8].sum() == 74
    assert np.ptp(shares[:8]) <= 1


lengths_and_titles = st.tuples(
    st.sampled_from([1, 2, 6, 11, 26, 101]), st.sampled_from([None, "title"])
)


@given(playlists=st.lists(lengths_and_titles, min_size=2, max_size=40), data=st.data())
def test_shares_cannot_be_made_more_equal(playlists, data):
    lengths, titles = zip(*playlists, strict=True)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    tracks = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    dataset = SimpleNamespace(
        name="drawn",
        n_playlists=len(lengths),
        playlists=Playlists(indptr, tracks, titles, 101),
        select=lambda rows: rows,
    )

    def serves(row, category):
        return lengths[row] > category.seeds and (titles[row] is not None or not category.titled)

    able = [row for row in range(len(lengths)) if any(serves(row, c) for c in CATEGORIES)]
    most = min(len(able), len(lengths) - 1)
    if not most:
        return
    challenge = split(dataset, data.draw(st.integers(1, most))).test
    shares = np.bincount(challenge.category, minlength=10)
    category_of = dict(zip(challenge.rows.tolist(), challenge.category.tolist(), strict=True))
    for row, given_to in category_of.items():
        assert serves(row, CATEGORIES[given_to])
        for other in range(10):
            if serves(row, CATEGORIES[other]):
                assert shares[other] >= shares[given_to] - 1
    for row in set(able) - set(category_of):
        for other in range(10):
            if serves(row, CATEGORIES[other]):
                assert shares[other] >= shares.max() - 1


def test_untitled_playlists_serve_only_untitled_categories(make_dataset):
    dataset = make_dataset(
        [[f"{t}" for t in range(i % 5 + 6)] for i in range(20)], [None, " "] * 10
    )
    found = split(dataset, 8).test
    assert {CATEGORIES[index].label for index in found.category} == {"first 5"}
    assert found.queries.titles == [None] * 8


def test_splits_are_disjoint_and_leave_the_rest_for_training(mixed):
    parts = split(mixed, 60, seed=2, validation=40)
    assert parts.validation is not None
    held = {*parts.test.rows.tolist(), *parts.validation.rows.tolist()}
    assert len(held) == len(parts.test) + len(parts.validation) == 100
    rest = [row for row in range(mixed.n_playlists) if row not in held]
    assert parts.train.n_playlists == len(rest)
    assert parts.train.n_tracks == mixed.n_tracks
    for at, row in enumerate(rest):
        assert np.array_equal(parts.train.playlists[at], mixed.playlists[row])


def test_splits_are_deterministic_and_the_test_set_does_not_depend_on_validation(mixed):
    alone, with_validation = split(mixed, 50, seed=3), split(mixed, 50, seed=3, validation=30)
    assert same(alone.test, with_validation.test)
    assert same(alone.test, split(mixed, 50, seed=3).test)
    assert not same(alone.test, split(mixed, 50, seed=4).test)
    assert alone.validation is None


def test_hidden_tracks_that_training_lacks_stay_hidden(make_dataset):
    dataset = make_dataset([[f"only {i}", "shared"] for i in range(4)], list("abcd"))
    parts = split(dataset, 1)
    lost = dataset.ids_of([f"t:only {parts.test.rows[0]}"])[0]
    assert parts.train.counts[lost] == 0
    assert lost in [*parts.test.hidden[0], *parts.test.queries.seeds[0]]


def test_validation_playlists_can_be_kept_apart_from_other_tests(mixed):
    others = {row for seed in (1, 2) for row in split(mixed, 40, seed).test.rows.tolist()}
    plain = split(mixed, 40, seed=0, validation=30)
    apart = split(mixed, 40, seed=0, validation=30, apart=(1, 2))
    assert others & set(plain.validation.rows.tolist())
    assert not others & set(apart.validation.rows.tolist())
    assert same(plain.test, apart.test)


@pytest.mark.parametrize(
    ("holdout", "validation", "sentence"),
    [
        (5, 0, "tiny has 4 playlists that can be held out, not 5"),
        (3, 2, "tiny has 1 playlists that can be held out, not 2"),
        (4, 0, "leaves none to learn from"),
        (0, 0, "at least one"),
    ],
)
def test_impossible_splits_say_why(make_dataset, holdout, validation, sentence):
    dataset = make_dataset([["a", "b"]] * 4, ["title"] * 4)
    with pytest.raises(SegueError, match=sentence):
        split(dataset, holdout, validation=validation)


def test_popularity_order_is_that_of_the_training_playlists(make_dataset):
    dataset = make_dataset([["a", "b"], ["b"], ["c", "b", "d"], ["c", "d"], ["e"], ["e"], ["e"]])
    order = dataset.select(np.array([2, 3, 4])).by_popularity
    names = dataset.values("title", order)
    assert set(names[:2]) == {"c", "d"}
    assert set(names[2:4]) == {"b", "e"}
    assert names[4] == "a"


def test_popularity_order_of_equal_counts_is_not_that_of_ids(make_dataset):
    dataset = make_dataset([[f"{t:03}" for t in range(200)]])
    order = dataset.by_popularity
    assert sorted(order) == list(range(200))
    assert abs(np.corrcoef(order, np.arange(200))[0, 1]) < 0.3


def test_complete_adds_popular_tracks_that_are_neither_listed_nor_seeds():
    popular = np.array([5, 3, *range(6, 600), 4, 2, 1, 0], np.int32)
    ids = np.array([[0, 5, 7], [8, -1, -1], [-1, -1, -1]], np.int32)
    queries = Queries([np.array([3, 6]), np.array([], int), np.array([599, 1])], [None] * 3)
    full = complete(ids, queries, popular)
    assert full.shape == (3, 500)
    assert full[0, :6].tolist() == [0, 5, 7, 8, 9, 10]
    assert full[1, :6].tolist() == [8, 5, 3, 6, 7, 9]
    assert full[2, :4].tolist() == [5, 3, 6, 7]
    for row, seeds in zip(full, queries.seeds, strict=True):
        assert len(set(row)) == 500
        assert not set(row) & set(seeds)


def test_complete_pads_where_the_dataset_is_too_small():
    full = complete(
        np.array([[2]], np.int32), Queries.single([0]), np.array([0, 1, 2, 3], np.int32)
    )
    assert full[0, :4].tolist() == [2, 1, 3, -1]
    assert full.shape == (1, 500)


def test_complete_cuts_at_500():
    ids = np.arange(600, dtype=np.int32)[None]
    assert complete(ids, Queries.single([]), ids[0]).tolist() == [list(range(500))]


def test_challenge_file_comes_back_as_it_was(mixed, tmp_path):
    challenge = split(mixed, 60, seed=1).test
    path = tmp_path / "challenge_set.json"
    write_challenge(path, mixed, challenge)
    read = read_challenge(path, mixed)
    assert read.pids == challenge.rows.tolist()
    assert read.queries.titles == challenge.queries.titles
    assert read.unknown_seeds == 0
    assert all(map(np.array_equal, read.queries.seeds, challenge.queries.seeds))

    playlists = json.loads(path.read_text("utf-8"))["playlists"]
    for playlist, hidden, row in zip(playlists, challenge.hidden, challenge.rows, strict=True):
        assert playlist["num_holdouts"] == len(hidden)
        assert playlist["num_samples"] == len(playlist["tracks"])
        for track in playlist["tracks"]:
            place = mixed.playlists[row][track["pos"]]
            assert mixed.values("uri", [place]) == [track["track_uri"]]
            assert track["artist_name"] == f"artist {track['track_name']}"


@pytest.fixture(scope="module")
def letters(make_dataset):
    return make_dataset([["a", "b", "c"], ["b", "c"], ["c"]], name="letters")


def write(tmp_path, content):
    path = tmp_path / "challenge.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def seed_track(name, pos, **fields):
    return {"track_uri": f"t:{name}", "pos": pos} | fields


def test_read_challenge_takes_public_files_as_they_are(letters, tmp_path):
    path = write(
        tmp_path,
        {
            "date": "2018-01-16",
            "playlists": [
                {"pid": 7, "name": "x", "num_holdouts": 9, "num_samples": 0, "tracks": []},
                {
                    "pid": 3,
                    "num_samples": 5,
                    "tracks": [
                        seed_track("c", 8, album_name=None),
                        seed_track("a", 2),
                        seed_track("unheard", 5),
                        seed_track("c", 9),
                    ],
                },
            ],
        },
    )
    read = read_challenge(path, letters)
    assert read.pids == [7, 3]
    assert read.queries.titles == ["x", None]
    assert read.queries.seeds[0].tolist() == []
    assert letters.values("title", read.queries.seeds[1]) == ["a", "c"]
    assert read.unknown_seeds == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"playlists": [{"pid": 1, "tracks": [', r"challenge\.json is not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ([], "has no list `playlists`"),
        ({"playlists": {}}, "has no list `playlists`"),
        ({"playlists": ["x"]}, "playlist 0 is text, not an object"),
        ({"playlists": [{"tracks": []}]}, "playlist 0: pid is missing, not a whole number"),
        ({"playlists": [{"pid": "1", "tracks": []}]}, "playlist 0: pid is text, not a whole"),
        ({"playlists": [{"pid": True, "tracks": []}]}, "pid is true or false, not a whole"),
        ({"playlists": [{"pid": 4}]}, "playlist with pid 4: tracks is missing, not a list"),
        ({"playlists": [{"pid": 4, "name": 5, "tracks": []}]}, "pid 4: name is a whole number"),
        ({"playlists": [{"pid": 4, "tracks": []}] * 2}, "pid 4: pid occurs twice"),
        ({"playlists": [{"pid": 4, "tracks": [None]}]}, "pid 4, track 0 is null, not an object"),
        ({"playlists": [{"pid": 4, "tracks": [{}]}]}, "pid 4, track 0: track_uri is missing"),
        (
            {"playlists": [{"pid": 4, "tracks": [seed_track("a", 1), seed_track("b", "2")]}]},
            "pid 4, track 1: pos is text, not a whole number",
        ),
    ],
)
def test_bad_challenge_files_get_one_sentence(letters, tmp_path, content, sentence):
    with pytest.raises(SegueError, match=sentence) as error:
        read_challenge(write(tmp_path, content), letters)
    assert "challenge.json" in str(error.value)


def test_missing_and_binary_challenge_files_get_one_sentence(letters, tmp_path):
    with pytest.raises(SegueError, match=r"none\.json cannot be read: No such file"):
        read_challenge(tmp_path / "none.json", letters)
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    with pytest.raises(SegueError, match=r"binary\.json is not valid JSON"):
        read_challenge(tmp_path / "binary.json", letters)


@pytest.fixture(scope="module")
def submitted(mixed, tmp_path_factory):
    """A public challenge, and a right submission for it as rows."""
    folder = tmp_path_factory.mktemp("submission")
    write_challenge(folder / "challenge.json", mixed, split(mixed, 20).test)
    public = read_challenge(folder / "challenge.json", mixed)
    empty = np.empty((len(public), 0), np.int32)
    ids = complete(empty, public.queries, mixed.by_popularity)
    return public, [mixed.values("uri", row) for row in ids]


def test_a_right_submission_is_accepted(mixed, submitted, tmp_path):
    public, uris = submitted
    path = tmp_path / "out.csv"
    write_submission(path, public.pids, uris, "Team, the", "a@example.org")
    lines = path.read_text("utf-8").splitlines()
    assert lines[0] == 'team_info,"Team, the",a@example.org'
    assert lines[1].split(",") == [str(public.pids[0]), *uris[0]]
    assert len(lines) == 1 + len(public)
    verify_submission(path, public, mixed)
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_spaces_comments_and_empty_lines_are_accepted(mixed, submitted, tmp_path):
    public, uris = submitted
    rows = [", ".join([str(pid), *row]) for pid, row in zip(public.pids, uris, strict=True)]
    path = tmp_path / "out.csv"
    path.write_text("# mine\n\nteam_info, x, y\n  \n# rows\n" + "\n\n".join(rows) + "\n", "utf-8")
    verify_submission(path, public, mixed)


def broken(public, uris, at, change):
    rows = [list(row) for row in uris]
    rows[at] = change(rows[at], public.queries.seeds[at])
    return rows


def test_wrong_submissions_get_one_sentence(mixed, submitted, tmp_path):
    public, uris = submitted
    seeded = int(np.argmax(public.queries.lengths))
    seed_uri = mixed.values("uri", public.queries.seeds[seeded][:1])[0]
    path = tmp_path / "out.csv"
    for change, sentence in (
        (lambda row, _: row[:-1], "499 tracks, not 500"),
        (lambda row, _: [*row[:-1], row[0]], "1 of the tracks are repeated"),
        (lambda row, _: [*row[:-1], "t:unheard"], "t:unheard is not in the dataset"),
        (lambda row, _: [seed_uri, *row[1:]], f"{seed_uri} is a seed"),
    ):
        write_submission(path, public.pids, broken(public, uris, seeded, change), "x", "y")
        with pytest.raises(SegueError, match=sentence) as error:
            verify_submission(path, public, mixed)
        assert f"line {seeded + 2}, pid {public.pids[seeded]}" in str(error.value)


def test_submissions_of_other_playlists_get_one_sentence(mixed, submitted, tmp_path):
    public, uris = submitted
    path = tmp_path / "out.csv"
    for pids, rows, sentence in (
        (public.pids[:-1], uris[:-1], f"no row for 1 of 20 .* pid {public.pids[-1]}"),
        ([*public.pids[:-1], 999_999], uris, "pid 999999: the challenge has no such playlist"),
        ([*public.pids, public.pids[0]], [*uris, uris[0]], "or an earlier row answers it"),
    ):
        write_submission(path, pids, rows, "x", "y")
        with pytest.raises(SegueError, match=sentence):
            verify_submission(path, public, mixed)
    for content in ("", "1,2,3\n", "team_info,only a name\n"):
        path.write_text(content, "utf-8")
        with pytest.raises(SegueError, match="does not start with `team_info"):
            verify_submission(path, public, mixed)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SegueError, match="cannot be read as a submission"):
        verify_submission(path, public, mixed)


def test_a_submission_that_fails_half_way_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before", "utf-8")

    def rows():
        yield ["a"] * 500
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_submission(path, [1, 2], rows(), "x", "y")
    assert path.read_text("utf-8") == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


def test_real_playlists_give_equal_shares(shared_data, tmp_path):
    from core.dataset.build import Provenance, build
    from core.dataset.dataset import Dataset
    from core.dataset.sources import mpd
    from core.progress import SILENT

    archive = shared_data / "open-playlists" / "open-playlists.zip"
    build(mpd.read([archive], SILENT), tmp_path / "open", Provenance("open", "mpd"))
    dataset = Dataset(tmp_path / "open")
    parts = split(dataset, 400, validation=200)
    assert set(np.bincount(parts.test.category)) == {40}
    assert set(np.bincount(parts.validation.category)) == {20}
    assert parts.train.n_playlists == dataset.n_playlists - 600

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy import sparse

from core.dataset.schema import AUDIO_FEATURES, BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources import simulated
from core.dataset.sources.simulated import simulate
from core.dataset.sources.simulated.catalogue import STYLE_NAMES, Catalogue
from core.dataset.sources.simulated.law import PUBLISHED_FACTS, count_law, lengths_for
from core.dataset.sources.simulated.names import Names, combinations, phrases, uris
from core.dataset.sources.simulated.noise import Noise
from core.dataset.sources.simulated.playlists import HABITS, Listeners
from core.dataset.text import song_title
from core.errors import SegueError

PLAYLISTS, TRACKS = 2_500, 8_000


class World:
    """A small simulation, and what only its maker knows."""

    def __init__(self) -> None:
        self.law = count_law(PLAYLISTS, TRACKS)
        self.catalogue = Catalogue(self.law, Noise(0))
        self.listeners = Listeners(self.catalogue, lengths_for(TRACKS))
        self.names = Names(self.catalogue)
        self.tracks = np.arange(self.catalogue.n_tracks)
        self.themes = self.listeners.themes(np.arange(PLAYLISTS))
        self.playlist, self.track = self.listeners.entries(self.themes)
        ones = np.ones(len(self.track), np.float32)
        self.matrix = sparse.csr_array(
            (ones, (self.playlist, self.track)), (PLAYLISTS, self.catalogue.n_tracks)
        )
        self.matrix.data[:] = 1
        self.counts = self.matrix.sum(axis=0).astype(int)
        self.style = self.catalogue.style[self.catalogue.artist]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def joined(batches) -> tuple[pa.Table, pa.Table]:
    """Playlists and entries of all batches, playlists numbered through."""
    playlists, entries, before = [], [], 0
    for batch in batches:
        number = pc.add(batch.entries["playlist"], pa.scalar(before, pa.int32()))
        entries.append(batch.entries.set_column(0, "playlist", number))
        playlists.append(batch.playlists)
        before += len(batch.playlists)
    return pa.concat_tables(playlists), pa.concat_tables(entries)


def test_law_meets_every_published_fact_at_full_size():
    tracks = PUBLISHED_FACTS["tracks in at least 1"]
    law = count_law(1_000_000, tracks)
    found = {f"tracks in at least {k}": law.expected_tracks(k) for k in (1, 2, 5, 10, 50)}
    found["entries"] = law.expected_entries()
    found["top track"] = float(law.at(np.array([1.0]))[0])
    found["mean length"] = lengths_for(tracks).mean
    for fact, value in found.items():
        assert value == pytest.approx(PUBLISHED_FACTS[fact], rel=0.1), fact


@pytest.mark.parametrize(("playlists", "tracks"), [(4_000, 12_000), (500, 2_000)])
def test_law_hits_the_asked_size_and_falls(playlists, tracks):
    law = count_law(playlists, tracks)
    assert law.expected_tracks() == pytest.approx(tracks, rel=0.01)
    assert law.expected_entries() == pytest.approx(playlists * lengths_for(tracks).mean, rel=0.01)
    rates = law.at(np.arange(1.0, law.size + 1))
    assert np.all(np.diff(rates) < 0)
    assert rates[-1] > 0


def test_binned_sums_are_the_sums_over_all_ranks():
    law = count_law(4_000, 12_000)
    rates = law.at(np.arange(1.0, law.size + 1))
    assert law.expected_entries() == pytest.approx(rates.sum(), rel=1e-3)
    assert law.expected_tracks(2) == pytest.approx(
        (1 - np.exp(-rates) * (1 + rates)).sum(), rel=1e-3
    )


@pytest.mark.parametrize(("playlists", "tracks"), [(5, 1_000), (1_000, 10), (50, 5_000)])
def test_impossible_sizes_are_refused_in_a_sentence(playlists, tracks):
    with pytest.raises(SegueError, match=str(playlists)):
        next(simulate(playlists, tracks))


def test_random_numbers_are_the_same_on_every_machine():
    drawn = Noise(7).bits("any purpose", np.arange(3))
    assert drawn.tolist() == [8161792571510997668, 13631561839611221623, 1900059684203664789]
    assert not np.array_equal(drawn, Noise(8).bits("any purpose", np.arange(3)))
    assert not np.array_equal(drawn, Noise(7).bits("another", np.arange(3)))


def test_random_numbers_are_uniform_and_independent_of_neighbours():
    drawn = Noise(0).uniform("grid", np.arange(300)[:, None], np.arange(300))
    assert 0 < drawn.min() < drawn.max() < 1
    shares = np.histogram(drawn, 20, (0, 1))[0] / drawn.size
    assert shares == pytest.approx(np.full(20, 0.05), abs=0.004)
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(drawn[:, :-1].ravel(), drawn[:, 1:].ravel())[0, 1]) < 0.02


def test_same_seed_same_playlists_whatever_the_batches(monkeypatch):
    whole = joined(simulate(120, 600, seed=3))
    monkeypatch.setattr(simulated, "BATCH_PLAYLISTS", 50)
    pieces = joined(simulate(120, 600, seed=3))
    other = joined(simulate(120, 600, seed=4))
    assert whole[0].equals(pieces[0])
    assert whole[1].equals(pieces[1])
    assert not whole[1]["title"].equals(other[1]["title"])


def test_batches_keep_the_contract():
    batches = list(simulate(300, 1_000))
    for batch in batches:
        assert batch.playlists.schema == BATCH_PLAYLISTS
        assert batch.entries.schema == BATCH_ENTRIES
        assert not batch.problems
    playlists, entries = joined(batches)
    assert len(playlists) == len(set(playlists["source_id"].to_pylist())) == 300
    row = entries["playlist"].to_numpy()
    lengths = np.bincount(row, minlength=300)
    assert lengths.min() >= 5
    expected = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    assert np.array_equal(entries["position"].to_numpy(), expected)


def test_counts_follow_the_law(world):
    for at_least in (1, 2, 5, 10, 50):
        found = int((world.counts >= at_least).sum())
        assert found == pytest.approx(world.law.expected_tracks(at_least), rel=0.15), at_least
    assert world.matrix.sum() == pytest.approx(world.law.expected_entries(), rel=0.05)
    assert world.counts.max() <= 0.06 * PLAYLISTS


def test_nobody_is_favoured_beyond_the_law(world):
    # Windows are centred uniformly: whatever the style, counts are what the law allots.
    allotted = np.bincount(world.style, world.catalogue.rate)
    found = np.bincount(world.style, world.counts)
    large = allotted > 2_000
    assert large.sum() > 10
    # A style of 2,000 entries comes from a few dozen playlists.
    assert np.abs(found / allotted - 1)[large].mean() < 0.15


def test_habits_share_the_hits_fairly():
    shares = np.array([habit.share for habit in HABITS.values()])
    factors = np.array([habit.crossover for habit in HABITS.values()])
    assert shares.sum() == pytest.approx(1)
    assert shares @ factors == pytest.approx(1, abs=0.01)


def test_lengths_are_like_the_published_ones(world):
    lengths = lengths_for(TRACKS)
    assert (lengths.values[0], lengths.values[-1]) == (5, 250)
    assert lengths.mean == pytest.approx(66.3, abs=0.1)
    found = np.bincount(world.playlist)
    assert found.mean() == pytest.approx(66.3, rel=0.07)
    assert np.median(found) == pytest.approx(49, rel=0.15)


def test_a_few_repeats_are_left_for_cleaning(world):
    repeats = 1 - world.matrix.nnz / len(world.track)
    assert 0.002 < repeats < 0.03


def test_styles_show_in_co_occurrence(world):
    head = np.argsort(-world.counts)[:1_500]
    matrix = world.matrix[:, head]
    counts = matrix.sum(axis=0)
    together = (matrix.T @ matrix).toarray() / np.outer(counts, counts) * PLAYLISTS
    same = world.style[head][:, None] == world.style[head]
    np.fill_diagonal(same, False)
    across = ~same
    np.fill_diagonal(across, False)
    assert together[same].mean() > 5 * together[across].mean()
    # Learnable, not trivial: styles meet, too.
    assert together[across].mean() > 0.3


def test_neighbours_beat_popularity_by_far(world):
    test = np.arange(PLAYLISTS - 250, PLAYLISTS)
    train = world.matrix[: PLAYLISTS - 250]
    counts = train.sum(axis=0)
    scaled = train @ sparse.diags_array(1 / np.sqrt(counts + 10))
    starts = np.searchsorted(world.playlist, np.arange(PLAYLISTS + 1))
    found = []
    for playlist in test:
        order = world.track[starts[playlist] : starts[playlist + 1]]
        seeds, held_out = order[:10], np.setdiff1d(order[10:], order[:10])
        if len(held_out) < 5:
            continue
        similar = scaled.T @ scaled[:, seeds].sum(axis=1)
        popular = counts.astype(float)
        precision = []
        for scores in (similar, popular):
            scores[seeds] = -1
            top = np.argsort(-scores, kind="stable")[: len(held_out)]
            precision.append(np.isin(held_out, top).mean())
        found.append(precision)
    neighbours, popularity = np.mean(found, axis=0)
    assert 0.08 < neighbours < 0.35
    assert neighbours > 2.5 * popularity


def test_playlists_drift_and_artists_come_in_runs(world):
    artist = world.catalogue.artist[world.track]
    same_playlist = np.diff(world.playlist) == 0
    next_to = (np.diff(artist) == 0)[same_playlist].mean()
    shuffled = np.random.default_rng(0).permutation(len(artist))
    shuffled = shuffled[np.argsort(world.playlist[shuffled], kind="stable")]
    by_chance = (np.diff(artist[shuffled]) == 0)[same_playlist].mean()
    assert next_to > 1.5 * by_chance


def test_audio_features_are_in_range_and_of_their_style(world):
    audio = world.catalogue.audio(world.tracks)
    assert tuple(audio) == AUDIO_FEATURES
    for name in set(AUDIO_FEATURES) - {"key", "loudness", "mode", "tempo"}:
        assert audio[name].min() >= 0, name
        assert audio[name].max() <= 1, name
    assert set(audio["key"]) == set(range(12))
    assert set(audio["mode"]) == {0, 1}
    assert -60 <= audio["loudness"].min() < audio["loudness"].max() <= 0
    assert 40 <= audio["tempo"].min() < audio["tempo"].max() <= 220

    def mean(name: str, style: str) -> float:
        return audio[name][world.style == STYLE_NAMES.index(style)].mean()

    assert mean("energy", "metalcore") > 0.8 > 0.4 > mean("energy", "ambient")
    assert mean("tempo", "drum and bass") > 150 > 110 > mean("tempo", "reggaeton")
    assert mean("speechiness", "boom bap") > 3 * mean("speechiness", "classic rock")
    assert np.corrcoef(audio["energy"], audio["loudness"])[0, 1] > 0.7


def test_plain_facts_are_plausible(world):
    minutes = world.catalogue.duration(world.tracks) / 60_000
    assert 0.5 < minutes.min() < minutes.max() < 25
    assert np.median(minutes) == pytest.approx(3.6, abs=0.3)
    years = world.catalogue.year(world.tracks)
    assert 1920 < years.min() < years.max() <= 2024
    popularity = world.catalogue.popularity(world.tracks)
    assert 0 <= popularity.min() < popularity.max() <= 100
    assert np.corrcoef(popularity, np.log(world.catalogue.rate))[0, 1] > 0.8
    explicit = world.catalogue.explicit(world.tracks)
    assert explicit[world.style == STYLE_NAMES.index("drill")].mean() > 0.6
    assert explicit[world.style == STYLE_NAMES.index("indie folk")].mean() < 0.1
    assert not explicit[world.style == STYLE_NAMES.index("ambient")].mean() > 0.03
    assert 0.05 < explicit.mean() < 0.3
    gaps = world.catalogue.missing(world.tracks)
    assert all(0.001 < gap.mean() < 0.2 for gap in gaps.values())


def test_versions_share_their_song_title_and_artist(world):
    root = world.catalogue.root
    versions = np.flatnonzero(root != world.tracks)
    assert 0.03 < len(versions) / len(world.tracks) < 0.12
    assert np.array_equal(world.catalogue.artist[versions], world.catalogue.artist[root[versions]])
    titles = world.names.titles(versions).to_pylist()
    originals = world.names.titles(root[versions]).to_pylist()
    assert all(title != original for title, original in zip(titles, originals, strict=True))
    assert song_title(titles) == song_title(originals)
    assert world.counts[versions].mean() < world.counts[root[versions]].mean()


def test_songs_of_an_artist_have_different_titles(world):
    originals = np.flatnonzero(world.catalogue.root == world.tracks)
    artist = world.catalogue.artist[originals].tolist()
    songs = list(zip(artist, song_title(world.names.titles(originals).to_pylist()), strict=True))
    assert len(set(songs)) > 0.998 * len(songs)


def test_names_are_distinct_and_of_many_kinds(world):
    names = world.names.artists(world.catalogue.artists).to_pylist()
    assert len(set(names)) > 0.995 * len(names)
    assert 3 < sum(not name.isascii() for name in names) / len(names) * 100 < 30
    assert len(set(world.names.titles(world.tracks).to_pylist())) > 0.6 * len(world.tracks)


@pytest.mark.parametrize("pattern", ["{adjective} {noun}", "{noun} & {noun}", "Oh {first}"])
def test_a_pattern_repeats_no_phrase_before_all_were_used(pattern):
    total = combinations(pattern)
    made = phrases(pattern, np.arange(5, 5 + total)).to_pylist()
    assert len(set(made)) == total
    assert not any(len(set(phrase.split(" & "))) < 2 for phrase in made if "&" in phrase)


def test_links_are_one_to_one_and_clearly_invented():
    ids = np.concatenate([np.arange(50_000), np.arange(10_000_000, 10_050_000)])
    links = uris("track", ids).to_pylist()
    assert len(set(links)) == len(ids)
    assert all(link.startswith("segue:track:") and len(link) == 20 for link in links[:100])


def test_titles_tell_what_is_inside(world):
    batch = world.listeners.batch(np.arange(1_000))
    titles = batch.playlists["title"].to_pylist()
    assert 0.02 < titles.count(None) / len(titles) < 0.08
    genre = np.array(batch.entries["genre"].to_pylist(), dtype=object)
    row = batch.entries["playlist"].to_numpy()
    shares = [
        np.mean(genre[row == number] == title.lower())
        for number, title in enumerate(titles)
        if title and title.lower() in STYLE_NAMES
    ]
    assert len(shares) > 20
    assert np.mean(shares) > 0.25
    styled = [title for title in titles if title]
    assert any(title.isupper() for title in styled)
    assert any(not title.isascii() for title in styled)


def test_playlists_are_no_older_than_their_tracks(world):
    batch = world.listeners.batch(np.arange(500))
    modified = batch.playlists["modified"].to_numpy().astype("datetime64[s]").astype("M8[Y]")
    newest = batch.entries.group_by("playlist").aggregate([("year", "max")]).sort_by("playlist")
    assert np.all(modified.astype(int) + 1970 >= newest["year_max"].to_numpy() - 1)


def test_layouts_are_permutations_within_regions(world):
    catalogue = world.catalogue
    for layout in (*catalogue.scenes, catalogue.eras, catalogue.moods):
        assert np.array_equal(np.sort(layout.order), world.tracks)
        assert layout.ends[-1] == pytest.approx(1)
        widths = np.diff(layout.ends, prepend=0)
        assert widths == pytest.approx(catalogue.home[layout.order] / catalogue.home.sum())
    scene = catalogue.scenes[0]
    artists = catalogue.artist[scene.order]
    changes = int((np.diff(artists) != 0).sum())
    assert changes + 1 == len(catalogue.artists)
    assert scene.cells is not None
    assert all(low < high for low, high in pairwise(scene.cells))

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import multivariate_normal

from core.dataset.schema import AUDIO_FEATURES
from core.retrieval.audio import (
    Audio,
    axes,
    completed,
    correlation,
    covariances,
    described,
    moods,
    normal_scores,
    predictive,
)
from core.retrieval.base import Queries

KEY, MODE, TEMPO = (AUDIO_FEATURES.index(name) for name in ("key", "mode", "tempo"))
WITHIN = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, 0.3], [0.0, 0.3, 0.5]])
BETWEEN = np.array([[2.0, -0.5, 0.2], [-0.5, 1.0, 0.0], [0.2, 0.0, 0.3]])


@pytest.fixture
def audio():
    """Random audio features of 500 tracks."""
    random = np.random.default_rng(0)
    values = random.uniform(0.01, 0.99, (500, len(AUDIO_FEATURES)))
    values[:, KEY] = random.integers(0, 12, 500)
    values[:, MODE] = random.integers(0, 2, 500)
    values[:, TEMPO] = random.uniform(60, 200, 500)
    return values


def playlists_of(random, n_playlists=3_000, size=12):
    """Tracks that scatter by WITHIN around moods that scatter by BETWEEN, one playlist each."""
    centres = random.multivariate_normal(np.zeros(3), BETWEEN, n_playlists)
    noise = random.multivariate_normal(np.zeros(3), WITHIN, (n_playlists, size))
    tracks = (centres[:, None] + noise).reshape(-1, 3)
    indptr = np.arange(n_playlists + 1) * size
    held = sparse.csr_array((np.ones(len(tracks)), np.arange(len(tracks)), indptr))
    return tracks, held


def test_covariances_within_and_between_playlists_are_found():
    tracks, held = playlists_of(np.random.default_rng(1))
    within, between = covariances(tracks, held, np.eye(3), prior=1.0)
    np.testing.assert_allclose(within, WITHIN, atol=0.05)
    np.testing.assert_allclose(between, BETWEEN, atol=0.15)


def test_covariances_of_two_playlists_by_hand():
    tracks = np.array([[1.0], [3.0], [-2.0]])
    held = sparse.csr_array(np.array([[1.0, 1, 0], [0, 0, 1]]))
    within, between = covariances(tracks, held, np.eye(1), prior=0.0)
    # (1 - 2)^2 + (3 - 2)^2 over 3 entries - 2 playlists; (4^2 / 2 + 2^2 - 2 * 2) / 3.
    assert (within[0, 0], between[0, 0]) == pytest.approx((2.0, 8 / 3))


def test_without_playlists_the_covariances_are_halves_of_all():
    held = sparse.csr_array((0, 4))
    within, between = covariances(np.zeros((4, 3)), held, BETWEEN, prior=10.0)
    np.testing.assert_allclose(within, BETWEEN / 2)
    np.testing.assert_allclose(between, BETWEEN / 2)


def test_axes_whiten_playlists_and_separate_moods():
    variances, basis = axes(WITHIN, BETWEEN)
    np.testing.assert_allclose(basis.T @ WITHIN @ basis, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(basis.T @ BETWEEN @ basis, np.diag(variances), atol=1e-12)
    tracks, _ = playlists_of(np.random.default_rng(2))
    np.testing.assert_allclose(np.cov((tracks @ basis).T), np.diag(1 + variances), atol=0.2)


def test_the_unknown_is_expected_from_the_known():
    covariance = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 1.0]])
    features = np.array([[2.0, np.nan, 0.0], [np.nan] * 3, [1.0, 2, 3], [np.nan, 1.0, np.nan]])
    whole = completed(features, covariance)
    np.testing.assert_allclose(whole, [[2, 1, 0], [0, 0, 0], [1, 2, 3], [0.5, 1, 0.2]])


def test_distance_to_a_track_with_a_missing_value_by_hand():
    covariance = np.array([[1.0, 0.5], [0.5, 1.0]])
    seed, track = completed(np.array([[0.0, 0.0], [2.0, np.nan]]), covariance)
    # Where WITHIN is diagonal, 1 and 4, the missing second value is 1: 2^2 / 1 + 1^2 / 4.
    _, basis = axes(np.diag([1.0, 4.0]), np.eye(2))
    assert (((track - seed) @ basis) ** 2).sum() == pytest.approx(4.25)


def test_correlation_uses_what_is_known_of_both():
    random = np.random.default_rng(3)
    wanted = np.array([[1.0, 0.7, -0.3], [0.7, 1.0, 0.0], [-0.3, 0.0, 1.0]])
    features = random.multivariate_normal(np.zeros(3), wanted, 40_000)
    features[random.random(features.shape) < 0.3] = np.nan
    np.testing.assert_allclose(correlation(features), wanted, atol=0.03)
    assert np.linalg.eigvalsh(correlation(np.ones((5, 3)))).min() > 0


def test_normal_scores_by_hand():
    scores = normal_scores(np.array([7.0, np.nan, 100.0, 7.0, -3.0]))
    # Middle ranks .5, 2, 2 and 3.5 of 4.
    np.testing.assert_allclose(scores, [0, np.nan, 1.150349, 0, -1.150349], rtol=1e-6)


def test_the_key_is_a_circle(audio):
    audio[:4] = audio[0]
    audio[:4, KEY] = [11, 0, 1, 6]
    b, c, c_sharp, f_sharp = described(audio)[:4]
    near, same, far = (np.linalg.norm(c - other) for other in (b, c_sharp, f_sharp))
    assert near == pytest.approx(same, rel=0.1)
    assert far > 3 * near


def test_half_the_tempo_is_the_same_place_on_the_circle_of_an_octave(audio):
    audio[:3, TEMPO] = [80, 160, 113]
    slow, double, between = described(audio)[:3, [10, 12]]
    np.testing.assert_allclose(slow, double, atol=1e-9)
    assert np.linalg.norm(slow - between) > 1


def test_described_columns_are_standardised_and_the_unknown_stays(audio):
    audio[7, KEY] = -1
    audio[8] = np.nan
    features = described(audio)
    assert features.shape == (500, 14)
    np.testing.assert_allclose(np.nanmean(features, axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.nanstd(features, axis=0), 1)
    assert np.isnan(features[7]).sum() == 2
    assert np.isnan(features[8]).all()
    audio[:, MODE] = 1
    assert not described(audio)[:7, -1].any()


def test_scores_are_the_logarithm_of_the_ratio_of_probabilities():
    """Against densities by the conditional normal distribution of a vector of all tracks."""
    random = np.random.default_rng(4)
    variances = np.array([0.3, 2.0])
    seeds, track = random.normal(0, 1.5, (3, 2)), random.normal(0, 1.5, 2)
    weights, constants = predictive(np.array([3]), seeds.mean(axis=0)[None], variances)
    score = weights @ np.concatenate([track, track**2]) + constants
    wanted = 0.0
    for axis, variance in enumerate(variances):
        values = np.append(seeds[:, axis], track[axis])
        joint = multivariate_normal(np.zeros(4), np.eye(4) + variance)
        known = multivariate_normal(np.zeros(3), np.eye(3) + variance)
        alone = multivariate_normal(0, 1 + variance)
        wanted += joint.logpdf(values) - known.logpdf(values[:3]) - alone.logpdf(track[axis])
    assert score[0] == pytest.approx(wanted)


def test_seeds_are_divided_where_they_differ_and_only_there():
    random = np.random.default_rng(5)
    one = random.normal(0, 1, (20, 2))
    two = np.concatenate([random.normal(-8, 1, (12, 2)), random.normal(8, 1, (8, 2))])
    three = np.concatenate([two, random.normal([-8, 8], 1, (9, 2))])
    rows = np.repeat([0, 1, 2, 3], [20, 20, 29, 1])
    vectors = np.concatenate([one, two, three, [[5.0, 5.0]]])
    labels = moods(vectors, rows, np.array([50.0, 50.0]), 4)
    parts = [labels[rows == row] for row in range(4)]
    assert [len(set(part)) for part in parts] == [1, 2, 3, 1]
    assert len(set(parts[1][:12])) == len(set(parts[1][12:])) == 1
    np.testing.assert_array_equal(
        labels,
        np.concatenate(
            [
                moods(vectors[rows == row], np.zeros(len(part), int), np.array([50.0, 50.0]), 4)
                for row, part in enumerate(parts)
            ]
        ),
    )


@pytest.fixture(scope="module")
def moody(make_dataset):
    """Quiet, medium and loud playlists; of each style the tracks 40 to 49 are in no view's."""
    random = np.random.default_rng(6)
    levels = {"quiet": 0.15, "medium": 0.5, "loud": 0.85}
    tracks = {
        f"{style}-{track:02}": dict(
            zip(("energy", "valence"), random.normal(level, 0.03, 2).tolist(), strict=True)
        )
        for style, level in levels.items()
        for track in range(50)
    }
    tracks["silent"] = {}
    rows = [
        [f"{style}-{track:02}" for track in random.choice(40, 10, replace=False)]
        for style in levels
        for _ in range(30)
    ]
    dataset = make_dataset([*rows, list(tracks)], tracks=tracks, name="moody")
    return dataset.select(np.arange(90))


def ids(dataset, style, *numbers):
    return dataset.ids_of([f"t:{style}-{number:02}" for number in numbers])


def styles(dataset, answer):
    return [title.split("-")[0] for title in dataset.values("title", answer.ids[0])]


def test_a_playlist_of_two_moods_gets_both_not_what_is_between(moody):
    seeds = np.concatenate([ids(moody, "quiet", *range(8)), ids(moody, "loud", *range(8))])
    both = styles(moody, Audio().fit(moody).recommend(Queries.single(seeds), 30))
    assert min(both.count("quiet"), both.count("loud")) >= 5
    assert "medium" not in both
    single = Audio(Audio.Params(moods=1)).fit(moody)
    assert styles(moody, single.recommend(Queries.single(seeds), 30)) == ["medium"] * 30


def test_unheard_tracks_are_proposed_and_speak_as_seeds(moody):
    model = Audio().fit(moody)
    unheard = ids(moody, "loud", *range(40, 50))
    assert not moody.counts[unheard].any()
    answer = model.recommend(Queries.single(ids(moody, "loud", 0, 1, 2)), 47)
    assert set(unheard) <= set(answer.ids[0])
    assert set(styles(moody, model.recommend(Queries.single(unheard), 20))) == {"loud"}


def test_what_has_no_features_says_nothing_and_is_not_proposed(moody):
    model = Audio().fit(moody)
    silent = moody.ids_of(["t:silent"])
    loud = ids(moody, "loud", 0)
    assert (model.recommend(Queries.single(silent), 5).ids == -1).all()
    assert (model.recommend(Queries.single([], "loud"), 5).ids == -1).all()
    answer = model.recommend(Queries.single(loud), moody.n_tracks)
    assert (answer.ids >= 0).sum() == moody.n_tracks - 2
    with_silent = model.recommend(Queries.single([*loud, *silent]), 50)
    np.testing.assert_array_equal(with_silent.ids[0], answer.ids[0, :50])


def test_a_dataset_without_features_gets_no_answer(make_dataset):
    dataset = make_dataset([["a", "b"], ["b", "c"]])
    answer = Audio().fit(dataset).recommend(Queries.single([0, 1]), 3)
    assert (answer.ids == -1).all()

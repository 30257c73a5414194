import numpy as np
import pytest
from scipy import sparse

from core.progress import SILENT
from core.retrieval.base import Queries
from core.retrieval.columns import Columns
from core.retrieval.lightgcn import (
    LightGCN,
    Sample,
    Training,
    _Adam,
    adjacency,
    layer_weights,
    propagate,
    softmax_loss,
)
from core.retrieval.validation import hit_share, set_aside
from tests.conftest import style_of

QUICK = {"vector_size": 16, "steps": 40, "negatives": 256}
TEMPERATURE = 0.15
WEIGHTS = layer_weights(3, 0.5)

HELD = np.array(
    [[1, 1, 0, 0, 1, 0], [0, 1, 1, 0, 0, 0], [1, 0, 1, 1, 1, 0], [0, 0, 0, 1, 0, 0]], np.float32
)
"""Four playlists, six tracks; none holds the last."""

WORDS = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], np.float32)
"""Two words of the titles of three of them."""

ROWS = np.hstack([HELD, 2.5 * WORDS])
N_COLUMNS, N_NODES = 8, 12


def fit(dataset, seed=0, **params):
    return LightGCN(LightGCN.Params(**(QUICK | params))).fit(dataset, seed)


def set_exponent(model, exponent, dataset):
    model._restore(model._state() | {"exponent": np.array([exponent], np.float32)}, dataset)


def train(dataset, **params):
    """What trains on the graph of a dataset, and the graph's rows."""
    settings = LightGCN.Params(**(QUICK | params))
    columns = Columns(dataset, artist_weight=0.0, title_weight=settings.title_weight)
    rows = columns.rows_of(dataset.playlists)
    return Training(rows, len(columns.tracks), settings, seed=0), rows


def dense_adjacency():
    """D^-1/2 A D^-1/2 of the graph, tracks and words first; all zeros where the degree is 0."""
    edges = np.zeros((N_NODES, N_NODES))
    edges[N_COLUMNS:, :N_COLUMNS], edges[:N_COLUMNS, N_COLUMNS:] = ROWS, ROWS.T
    degrees = edges.sum(axis=1)
    degrees[degrees == 0] = 1
    return edges / np.sqrt(np.outer(degrees, degrees))


def sample():
    playlists = np.array([2, 0, 1])
    own = HELD[playlists] / HELD[playlists].sum(axis=1, keepdims=True)
    return Sample(
        N_COLUMNS + playlists,
        sparse.csr_array(own.astype(float)),
        np.array([0, 1, 4]),
        np.array([3, 1, 2]),
    )


def loss_and_gradient(base):
    """With respect to the base, in closed form."""
    edges = adjacency(sparse.csr_array(ROWS)).astype(float)
    vectors = propagate(edges, base, WEIGHTS)
    loss, gradient = softmax_loss(vectors, sample(), TEMPERATURE)
    return loss, propagate(edges, gradient, WEIGHTS)


@pytest.fixture
def base():
    return np.random.default_rng(0).standard_normal((N_NODES, 5))


def test_edges_weigh_one_over_the_square_roots_of_both_degrees():
    edges = adjacency(sparse.csr_array(ROWS))
    np.testing.assert_allclose(edges.toarray(), dense_adjacency(), rtol=1e-6)
    assert edges.dtype == np.float32


def test_the_mean_of_layers_is_that_of_the_paper_with_a_base_weight_of_1():
    np.testing.assert_allclose(layer_weights(2, 1), [1 / 3] * 3)
    np.testing.assert_allclose(layer_weights(2, 0), [0, 1 / 2, 1 / 2])
    np.testing.assert_allclose(layer_weights(4, 0.5), np.array([0.5, 1, 1, 1, 1]) / 4.5)


def test_propagation_is_the_weighted_sum_of_powers_of_the_dense_matrix(base):
    dense = dense_adjacency()
    powers = [np.linalg.matrix_power(dense, layer) for layer in range(4)]
    expected = sum(weight * power @ base for weight, power in zip(WEIGHTS, powers, strict=True))
    result = propagate(adjacency(sparse.csr_array(ROWS)), base, WEIGHTS)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_the_gradient_is_that_of_automatic_differentiation(base):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        jnp = jax.numpy
        edges, own = jnp.array(dense_adjacency()), jnp.array(sample().own.toarray())

        def loss(base):
            layers = [base]
            for _ in WEIGHTS[1:]:
                layers.append(edges @ layers[-1])
            final = sum(weight * layer for weight, layer in zip(WEIGHTS, layers, strict=True))
            units = final / jnp.linalg.norm(final, axis=1, keepdims=True)
            cosines = units[sample().playlists] @ units[:6].T / TEMPERATURE
            drawn = cosines[:, np.repeat(sample().drawn, sample().times)]
            return (jnp.log(jnp.exp(drawn).sum(axis=1)) - (own * cosines).sum(axis=1)).mean()

        expected_loss, expected = jax.jit(jax.value_and_grad(loss))(jnp.array(base))
    found_loss, gradient = loss_and_gradient(base)
    assert found_loss == pytest.approx(float(expected_loss), rel=1e-6)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_that_of_finite_differences(base):
    _, gradient = loss_and_gradient(base)
    width = 1e-5
    for at in np.ndindex(base.shape):
        change = np.zeros_like(base)
        change[at] = width
        rise = loss_and_gradient(base + change)[0] - loss_and_gradient(base - change)[0]
        assert gradient[at] == pytest.approx(rise / (2 * width), rel=1e-4, abs=1e-6)


def test_a_track_that_no_playlist_holds_is_not_moved(base):
    assert not loss_and_gradient(base)[1][5].any()


def test_words_are_moved_by_the_tracks_of_their_playlists(base):
    assert loss_and_gradient(base)[1][6:N_COLUMNS].all()


def test_adam_is_that_of_optax():
    optax = pytest.importorskip("optax")
    random = np.random.default_rng(1)
    values = random.standard_normal((4, 3)).astype(np.float32)
    adam, expected = _Adam(values.shape, 0.02), values.copy()
    reference = optax.adam(0.02)
    state = reference.init(expected)
    for _ in range(5):
        gradient = random.standard_normal((4, 3)).astype(np.float32)
        adam.move(values, gradient)
        update, state = reference.update(gradient, state)
        expected = expected + np.asarray(update)
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_the_loss_falls(planted):
    training, _ = train(planted)
    losses = [training.step() for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2


def test_every_playlist_comes_before_any_comes_again(planted):
    training, rows = train(planted, batch=50)
    seen = [training._sample().playlists for _ in range(5)]
    assert [len(part) for part in seen] == [50, 50, 50, 50, 40]
    assert set(np.concatenate(seen) - rows.shape[1]) == set(range(240))
    assert len(training._sample().playlists) == 50


def test_only_tracks_are_trained_for(planted):
    training, rows = train(planted)
    drawn = training._sample()
    assert rows.shape[1] == planted.n_tracks + 5
    assert drawn.own.shape == (64, planted.n_tracks)
    assert drawn.drawn.max() < planted.n_tracks
    np.testing.assert_allclose(drawn.own.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("title_weight", [0.0, 2.5])
def test_a_playlist_folded_in_lies_where_propagation_puts_it_without_its_base(
    planted, title_weight
):
    training, rows = train(planted, title_weight=title_weight)
    training.step()
    weights = layer_weights(4, 0.2)
    node = rows.shape[1] + 17
    final = propagate(adjacency(rows), training.base, weights)
    folds, targets = training.serving()
    row = rows[[17]]
    np.testing.assert_allclose(
        (row @ folds)[0] / np.sqrt(row.sum()),
        final[node] - weights[0] * training.base[node],
        rtol=1e-4,
        atol=1e-6,
    )
    final = final[: planted.n_tracks]
    np.testing.assert_allclose(
        targets, final / np.linalg.norm(final, axis=1, keepdims=True), rtol=1e-4, atol=1e-6
    )


def test_scores_are_cosines_plus_the_weighted_logarithm_of_counts(planted):
    model = fit(planted, title_weight=2.5)
    set_exponent(model, 0.5, planted)
    seeds = np.array([3, 50])
    style, two = model._folds[[planted.n_tracks, planted.n_tracks + 3]]
    for title, words in ((None, 0), ("Two, STYLE & two unknown", 2.5 * (style + two))):
        answer = model.recommend(Queries.single(seeds, title), 118)
        query = model._folds[seeds].sum(axis=0) + words
        cosines = model._targets @ query / np.linalg.norm(query)
        expected = cosines + 0.5 * TEMPERATURE * np.log(planted.counts)
        np.testing.assert_allclose(answer.scores[0], expected[answer.ids[0]], rtol=1e-4, atol=1e-5)


def test_a_title_alone_places_a_playlist(planted):
    model = fit(planted)
    titles = ["Two!", "two unknown", "style one", "unknown", "", None]
    answer = model.recommend(Queries([np.empty(0, np.int32)] * 6, titles), 30).ids
    for ids, style in zip(answer, (2, 2, 1), strict=False):
        assert style_of(planted, ids) == [style] * 30
    assert (answer[3:] == -1).all()
    untitled = fit(planted, title_weight=0.0)
    assert (untitled.recommend(Queries.single([], "two"), 5).ids == -1).all()


def test_a_title_turns_a_query(planted):
    model = fit(planted)
    seeds = np.flatnonzero(np.array(style_of(planted, np.arange(planted.n_tracks))) == 1)[:1]
    answer = model.recommend(Queries([seeds, seeds], [None, "two"]), 25)
    without, with_title = (np.bincount(style_of(planted, ids), minlength=4) for ids in answer.ids)
    assert without.argmax() == 1
    assert with_title.argmax() == 2


@pytest.fixture(scope="module")
def mixed(make_dataset):
    """Noisy playlists of two styles in which low numbers are popular."""
    random = np.random.default_rng(4)
    chances = 1 / np.arange(1, 121)
    playlists = []
    for row in range(200):
        style = np.where(np.arange(120) % 2 == row % 2, 1.0, 0.15)
        tracks = random.choice(120, 14, replace=False, p=chances * style / (chances @ style))
        playlists.append([f"{track}" for track in tracks])
    return make_dataset(playlists)


def test_steps_and_exponent_are_the_best_on_the_playlists_set_aside(mixed):
    model = LightGCN(LightGCN.Params(**QUICK))
    model.n_tracks = mixed.n_tracks
    rest, queries, hidden = set_aside(mixed, model.params.validation, 0)
    shares = {}
    for steps in (20, 40):
        alone = fit(rest, steps=steps, validation=0.0)
        assert alone.exponent == 0.75
        for exponent in (0.0, 0.25, 0.5, 0.75, 1.0):
            set_exponent(alone, exponent, rest)
            shares[steps, exponent] = hit_share(alone.recommend(queries, 120), hidden)
    best = model._choose(mixed, 0, SILENT)
    assert shares[best] == max(shares.values()) > min(shares.values())
    assert fit(mixed).exponent == best[1]


def test_a_track_of_one_playlist_is_proposed_to_playlists_like_it(make_dataset):
    random = np.random.default_rng(0)
    playlists = [
        [f"{style}-{track}" for track in random.choice(20, 8, replace=False)]
        for style in range(3)
        for _ in range(40)
    ]
    playlists[50].append("1-rare")
    dataset = make_dataset(playlists)
    rare = dataset.ids_of(["t:1-rare"])[0]
    model = fit(dataset, validation=0.0)
    set_exponent(model, 0.0, dataset)
    for style in range(3):
        seeds = dataset.ids_of([f"t:{style}-{track}" for track in range(4)])
        ids = model.recommend(Queries.single(seeds), 57).ids[0]
        place = int(np.flatnonzero(ids == rare)[0])
        assert (place < 17) == (style == 1)


def test_several_seeds_of_two_styles_bring_both(planted):
    model = fit(planted, vector_size=32)
    styles = np.array(style_of(planted, np.arange(planted.n_tracks)))
    seeds = [*np.flatnonzero(styles == 1)[:3], *np.flatnonzero(styles == 2)[:3]]
    answer = model.recommend(Queries.single(seeds), 40)
    found = np.bincount(styles[answer.ids[0]], minlength=4)
    assert min(found[1], found[2]) > 8
    assert found[1] + found[2] > 35

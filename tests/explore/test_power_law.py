import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from core.explore import power_law
from core.explore.power_law import (
    NoFit,
    PowerLawFit,
    ccdf,
    fit_power_law,
    fitted_line,
    length_histogram,
    rank_frequency,
)


@cache
def share_below(exponent: float, x_min: int) -> np.ndarray:
    """P(X < x) of the discrete power law for x from x_min to 300,000, exactly."""
    return 1 - zeta(exponent, np.arange(x_min, 300_000)) / zeta(exponent, x_min)


def planted(exponent: float, x_min: int, n: int, seed: int = 0) -> np.ndarray:
    """Draws of a discrete power law, by inverting its distribution."""
    uniform = np.random.default_rng(seed).random(n)
    return x_min - 1 + np.searchsorted(share_below(exponent, x_min), uniform, side="right")


def with_body(tail: np.ndarray, x_min: int, seed: int = 1) -> np.ndarray:
    """The tail, and below it as many counts that follow no power law."""
    return np.r_[tail, np.random.default_rng(seed).integers(1, x_min, len(tail))]


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return with_body(planted(2.4, 12, 6_000), 12)


@pytest.mark.parametrize(("exponent", "x_min"), [(1.8, 1), (2.3, 1), (2.5, 10), (3.6, 5)])
def test_fit_recovers_a_planted_exponent(exponent, x_min):
    tail = planted(exponent, x_min, 20_000)
    fit = fit_power_law(with_body(tail, x_min) if x_min > 1 else tail)
    assert isinstance(fit, PowerLawFit)
    assert abs(fit.exponent - exponent) < 3 * fit.standard_error
    assert fit.standard_error < 0.05
    assert x_min <= fit.x_min < 3 * x_min + 3


def test_standard_error_is_the_scatter_of_the_estimate():
    fits = [fit_power_law(planted(2.2, 1, 2_000, seed)) for seed in range(40)]
    exponents = [fit.exponent for fit in fits if fit.x_min == 1]
    errors = [fit.standard_error for fit in fits if fit.x_min == 1]
    assert len(exponents) > 15
    # The continuous approximation of the package would be 1.2 / sqrt(2000) = 0.027.
    assert np.std(exponents) == pytest.approx(np.mean(errors), rel=0.35)


@pytest.mark.filterwarnings("ignore")  # of the exponents that the package tries on the way
def test_fit_is_the_packages_own_with_the_same_x_min(counts):
    import powerlaw

    fit = fit_power_law(counts)
    theirs = powerlaw.Fit(
        counts, xmin=fit.x_min, discrete=True, estimate_discrete=False, verbose=0,
        parameter_ranges={"alpha": [1.01, 8]},
    )  # fmt: skip
    assert fit.exponent == pytest.approx(theirs.power_law.alpha, abs=1e-6)
    assert fit.distance == pytest.approx(theirs.power_law.D, abs=1e-6)
    assert fit.n_tail == theirs.n_tail


@pytest.mark.parametrize("favoured", ["lognormal", "power_law"])
def test_comparison_is_the_packages_own(favoured):
    import powerlaw

    if favoured == "lognormal":
        counts = np.random.default_rng(0).lognormal(2, 1, 8_000).astype(int) + 1
    else:
        counts = planted(2.2, 1, 8_000)
    fit = fit_power_law(counts)
    (comparison,) = fit.comparisons
    theirs = powerlaw.Fit(
        counts, xmin=fit.x_min, discrete=True, estimate_discrete=False, verbose=0,
        parameter_ranges={"alpha": [1.01, 8]},
    )  # fmt: skip
    ratio, p_value = theirs.distribution_compare("power_law", "lognormal", normalized_ratio=True)
    assert comparison.ratio == pytest.approx(ratio, rel=0.01)
    assert comparison.p_value == pytest.approx(p_value, rel=0.1)
    assert comparison.favours == favoured


def test_no_ratio_where_the_lognormal_runs_away():
    (comparison,) = fit_power_law(planted(2.2, 12, 20_000)).comparisons
    assert (comparison.alternative, comparison.ratio, comparison.favours) == (
        "lognormal",
        None,
        None,
    )


@pytest.mark.filterwarnings("ignore")
def test_search_finds_the_x_min_that_the_package_finds(counts):
    import powerlaw

    theirs = powerlaw.Fit(
        counts, discrete=True, estimate_discrete=False, verbose=0,
        xmin=(1, 120), parameter_ranges={"alpha": [1.01, 8]},
    )  # fmt: skip
    fit = fit_power_law(counts)
    assert fit.x_min == theirs.xmin
    assert fit.distance == pytest.approx(theirs.D, abs=1e-5)


def test_candidates_are_few_and_leave_a_tail():
    counts = planted(1.6, 1, 60_000)
    values, multiplicities = np.unique(counts, return_counts=True)
    candidates = power_law._candidates(np.cumsum(multiplicities[::-1])[::-1])
    assert len(values) > 1_000
    assert 100 < len(candidates) <= power_law.MAX_CANDIDATES
    assert candidates[:10].tolist() == list(range(10))
    assert (counts >= values[candidates[-1]]).sum() >= power_law.MIN_TAIL
    assert len(values) - candidates[-1] >= power_law.MIN_DISTINCT


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([], "Too few"),
        ([0] * 5_000 + [3] * 99, "Too few"),
        ([1, 2, 3, 4, 5] * 100, "Too uniform"),
        ([1] * 10_000 + [2, 3, 4, 5, 6], "No power law fits"),
        (np.random.default_rng(0).integers(900, 1_000, 5_000), "No power law fits"),
    ],
)
def test_reasons_for_no_fit(counts, reason):
    fit = fit_power_law(np.array(counts, dtype=int))
    assert isinstance(fit, NoFit)
    assert reason in fit.reason


def test_fitted_line_meets_the_curve_at_x_min(counts):
    fit = fit_power_law(counts)
    line, curve = fitted_line(fit, counts.max()), ccdf(counts)
    assert line.x[0] == fit.x_min
    assert line.x[-1] == counts.max()
    assert line.y[0] == pytest.approx(curve.y[curve.x == fit.x_min][0])
    assert (np.diff(line.y) < 0).all()


def test_rank_frequency():
    curve = rank_frequency(np.array([1, 0, 7, 3, 3]))
    assert curve.x.tolist() == [1, 2, 3, 4]
    assert curve.y.tolist() == [7, 3, 3, 1]


@given(st.lists(st.integers(0, 30), min_size=1))
def test_ccdf_is_the_share_that_is_at_least_x(counts):
    counts = np.array(counts)
    kept = counts[counts > 0]
    curve = ccdf(counts)
    assert curve.x.tolist() == sorted(set(kept.tolist()))
    assert curve.y == pytest.approx(np.array([(kept >= x).mean() for x in curve.x]))


def test_curves_are_thinned_but_keep_their_ends():
    counts = np.random.default_rng(0).permutation(np.arange(1, 200_001))
    for curve in (rank_frequency(counts), ccdf(counts)):
        assert 500 < len(curve.x) <= power_law.CURVE_POINTS
        assert len(curve.y) == len(curve.x)
        assert (np.diff(curve.x) > 0).all()
        assert curve.x[[0, -1]].tolist() == [1, 200_000]
    assert ccdf(counts).y[[0, -1]] == pytest.approx([1, 1 / 200_000])


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200))
def test_length_histogram_counts_every_playlist_in_bins_that_never_shrink(lengths):
    histogram = length_histogram(np.array(lengths))
    assert histogram.counts.sum() == len(lengths)
    assert histogram.edges[0] == min(lengths)
    assert histogram.edges[-1] > max(lengths)
    assert (np.diff(histogram.edges, 2) >= 0).all()


def test_nothing_is_no_error():
    nothing = np.empty(0, np.int32)
    assert len(rank_frequency(nothing).x) == len(ccdf(nothing).x) == 0
    assert length_histogram(nothing).counts.tolist() == [0]


def test_real_playlists_get_a_fit_or_a_reason(shared_data):
    import zipfile
    from collections import Counter

    held: Counter[str] = Counter()
    with zipfile.ZipFile(shared_data / "open-playlists" / "open-playlists.zip") as slices:
        for name in slices.namelist():
            if name.endswith(".json"):
                for playlist in json.loads(slices.read(name))["playlists"]:
                    held.update({track["track_uri"] for track in playlist["tracks"]})
    fit = fit_power_law(np.fromiter(held.values(), int))
    assert isinstance(fit, PowerLawFit)
    assert 2 < fit.exponent < 6
    assert fit.distance < 0.05

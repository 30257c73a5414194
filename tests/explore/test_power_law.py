import json
from functools import cache

import numpy as np
import pytest
from scipy.special import zeta

from core.explore import power_law
from core.explore.power_law import NoFit, PowerLawFit, fit_power_law, fitted_line
from core.explore.spread import ccdf


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


def the_packages(counts: np.ndarray, **more):
    import powerlaw

    settings = {"discrete": True, "estimate_discrete": False, "verbose": 0}
    return powerlaw.Fit(counts, **settings, **{"parameter_ranges": {"alpha": [1.01, 8]}} | more)


@pytest.mark.filterwarnings("ignore")  # of the exponents that the package tries on the way
@pytest.mark.parametrize(("exponent", "x_min"), [(1.8, 1), (2.4, 12), (3.6, 5), (5.0, 3)])
def test_fit_is_the_packages_own(exponent, x_min):
    tail = planted(exponent, x_min, 4_000)
    counts = with_body(tail, x_min) if x_min > 1 else tail
    fit = fit_power_law(counts)
    theirs = the_packages(counts, xmin=(1, 60))
    assert fit.x_min == theirs.xmin
    assert fit.n_tail == theirs.n_tail
    assert fit.exponent == pytest.approx(theirs.power_law.alpha, abs=2e-4)
    assert fit.distance == pytest.approx(theirs.power_law.D, abs=2e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("law", "better", "worse"),
    [
        ("lognormal", {"lognormal", "truncated power law"}, set()),
        ("truncated", {"lognormal", "truncated power law"}, {"exponential"}),
        ("power law", set(), {"exponential"}),
    ],
)
def test_comparisons_are_the_packages_own(law, better, worse):
    random = np.random.default_rng(0)
    x = np.arange(1, 20_000)
    cut_off = x**-1.7 * np.exp(-0.02 * x)
    counts = {
        "lognormal": lambda: random.lognormal(2, 1, 8_000).astype(int) + 1,
        "truncated": lambda: random.choice(x, 4_000, p=cut_off / cut_off.sum()),
        "power law": lambda: planted(3.2, 1, 8_000),
    }[law]()
    fit = fit_power_law(counts)
    assert {c.alternative for c in fit.comparisons if c.favours == c.alternative} == better
    assert {c.alternative for c in fit.comparisons if c.favours == "power law"} == worse
    # The exponent of a truncated law may be below 1: its cut-off makes it a law.
    theirs = the_packages(counts, xmin=fit.x_min, parameter_ranges={"alpha": [0, 8]})
    for comparison, name in zip(
        fit.comparisons, ("exponential", "lognormal", "truncated_power_law"), strict=True
    ):
        # Theirs is the truncated law at the end of a search, without the case of no cut-off.
        ratio, p_value = theirs.distribution_compare(
            "power_law", name, normalized_ratio=name != "truncated_power_law"
        )
        assert comparison.alternative == name.replace("_", " ")
        assert comparison.ratio == pytest.approx(ratio, rel=0.01, abs=0.05)
        assert comparison.p_value == pytest.approx(p_value, rel=0.1, abs=1e-6)


def test_no_ratio_where_the_lognormal_runs_away():
    comparison = fit_power_law(planted(2.2, 12, 20_000)).comparisons[1]
    assert (comparison.alternative, comparison.ratio, comparison.favours) == (
        "lognormal",
        None,
        None,
    )


def test_a_truncated_power_law_without_cut_off_is_the_power_law():
    comparison = fit_power_law(planted(2.2, 12, 20_000)).comparisons[2]
    assert comparison.alternative == "truncated power law"
    assert -2 < comparison.ratio <= 0
    assert comparison.favours is None


@pytest.mark.parametrize(
    ("exponent", "rate", "x_min"),
    [(1.8, 0.01, 1), (0.0, 0.04, 80), (4.6, 5e-9, 17), (0.5, 1e-4, 5), (3.0, 2.0, 1)],
)
def test_the_sum_of_a_truncated_law_is_lerchs(exponent, rate, x_min):
    mpmath = pytest.importorskip("mpmath")
    exact = mpmath.lerchphi(mpmath.exp(-rate), exponent, x_min) * mpmath.mpf(x_min) ** exponent
    assert power_law._cut_off_sum(exponent, rate, x_min) == pytest.approx(float(exact), rel=1e-9)


def test_zeta_is_scipys():
    exponents, x = np.linspace(1.01, 8, 40)[:, None], np.r_[np.arange(1, 60), 1e3, 1e5]
    np.testing.assert_allclose(power_law.zeta(exponents, x), zeta(exponents, x), rtol=1e-8)


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

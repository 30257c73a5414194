"""The bootstrap of a power law, on counts whose law is planted."""

import numpy as np
import pytest
from scipy.special import zeta

from core.explore import goodness as module
from core.explore.goodness import Goodness, goodness
from core.explore.power_law import SIGNIFICANT, PowerLawFit, fit_power_law, tally
from core.progress import Progress


def fitted(counts: np.ndarray) -> PowerLawFit:
    fit = fit_power_law(counts)
    assert isinstance(fit, PowerLawFit)
    return fit


def planted(exponent: float, x_min: int, n: int, seed: int = 0) -> np.ndarray:
    """Counts of a power law from x_min, by inverting its exact distribution, and a body below."""
    random = np.random.default_rng(seed)
    below = 1 - zeta(exponent, np.arange(x_min, 300_000)) / zeta(exponent, x_min)
    tail = x_min - 1 + np.searchsorted(below, random.random(n), side="right")
    return np.r_[tail, random.integers(1, x_min, n)] if x_min > 1 else tail


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("exponent", "x_min"), [(2.3, 1), (2.6, 8)])
def test_a_planted_power_law_is_plausible_and_its_exponent_covered(exponent, x_min, seed):
    counts = planted(exponent, x_min, 3_000, seed)
    good = goodness(counts, fitted(counts), 40)
    assert good.p_value > SIGNIFICANT
    assert good.plausible
    assert good.low < exponent < good.high
    assert good.high - good.low < 0.6


@pytest.mark.parametrize("law", ["exponential", "lognormal"])
def test_another_planted_law_is_ruled_out(law):
    random = np.random.default_rng(0)
    counts = {
        "exponential": random.geometric(0.05, 8_000),
        "lognormal": random.lognormal(3, 0.3, 20_000).astype(int) + 1,
    }[law]
    good = goodness(counts, fitted(counts), 40)
    assert good.p_value < SIGNIFICANT
    assert not good.plausible


def test_p_values_of_the_law_itself_are_spread_evenly():
    p_values = []
    for seed in range(12):
        counts = planted(2.2, 1, 400, seed)
        p_values.append(goodness(counts, fitted(counts), 15, seed).p_value)
    # Refitting each sample makes the test exact: fitted once, none would come out low.
    assert 0.25 < np.mean(p_values) < 0.75
    assert min(p_values) < 0.4
    assert max(p_values) > 0.6


def test_samples_are_of_the_fitted_law_and_of_the_body_below_it():
    counts = planted(2.6, 8, 20_000)
    fit = fitted(counts)
    values, times = module._synthetic(tally(counts), fit, np.random.default_rng(1))
    assert times.sum() == fit.n_values
    assert (np.diff(values) > 0).all()
    assert (times > 0).all()
    share = times[values >= fit.x_min].sum() / fit.n_values
    assert share == pytest.approx(fit.n_tail / fit.n_values, abs=0.01)
    below = values < fit.x_min
    expected = [(counts == value).sum() for value in values[below]]
    assert times[below] == pytest.approx(expected, rel=0.15)
    for x in (2 * fit.x_min, 5 * fit.x_min):
        exact = float(zeta(fit.exponent, x) / zeta(fit.exponent, fit.x_min)) * fit.n_tail
        assert times[values >= x].sum() == pytest.approx(exact, rel=0.15)


def test_the_far_tail_follows_the_law_too(monkeypatch):
    monkeypatch.setattr(module, "_TABLE", 30)
    values, times = module._power_law(1.8, 1, 200_000, np.random.default_rng(0))
    assert times.sum() == 200_000
    for x in (31, 60, 500):
        share = times[values >= x].sum() / 200_000
        assert share == pytest.approx(float(zeta(1.8, x) / zeta(1.8, 1)), rel=0.05)


def test_equal_seeds_draw_equal_samples():
    counts = planted(2.3, 1, 500)
    fit = fitted(counts)
    assert goodness(counts, fit, 10, seed=3) == goodness(counts, fit, 10, seed=3)
    assert goodness(counts, fit, 10, seed=3) != goodness(counts, fit, 10, seed=4)


def test_it_says_how_far_it_is():
    seen = []

    class Seen(Progress):
        def update(self, label, fraction=None):
            seen.append(fraction)

    counts = planted(2.3, 1, 500)
    assert goodness(counts, fitted(counts), 4, progress=Seen()).samples == 4
    assert seen == [0, 0.25, 0.5, 0.75, 1]


def test_the_threshold_itself_is_plausible():
    assert Goodness(100, SIGNIFICANT, 1, 2).plausible
    assert not Goodness(100, SIGNIFICANT - 0.01, 1, 2).plausible

"""How far a fitted power law can be trusted: a p-value and an interval, both by bootstrap.

The methods are those of Clauset, Shalizi and Newman, "Power-law distributions in empirical data",
SIAM Review 51 (2009), https://doi.org/10.1137/070710111, sections 3.3 and 4.1. Samples are drawn
as tallies, how often each count occurs, so that nothing is sub-sampled however many tracks there
are; and each is fitted as the data were, x_min and all.
"""

from dataclasses import dataclass

import numpy as np

from core.explore.power_law import (
    MIN_DISTINCT,
    MIN_VALUES,
    SIGNIFICANT,
    PowerLawFit,
    Tail,
    Tally,
    fit_tail,
    tally,
    zeta,
)
from core.progress import SILENT, Progress

SAMPLES = (100, 400, 2_500)
"""Numbers of samples that are offered: the p-value is then right to 0.05, 0.025 and 0.01."""

_TABLE = 10_000
_LARGEST = 10**15


@dataclass(frozen=True)
class Goodness:
    """How well a power law fits.

    Attributes
    ----------
    samples : int
        Drawn for each of the two.
    p_value : float
        Share of samples of the fitted law that fit it no better than the data do. A power law is
        ruled out where it is below `power_law.SIGNIFICANT`; a large one does not prove it.
    low, high : float
        95 % percentile interval of the exponent over data drawn anew from the data.
    """

    samples: int
    p_value: float
    low: float
    high: float

    @property
    def plausible(self) -> bool:
        return self.p_value >= SIGNIFICANT


def goodness(
    counts: np.ndarray,
    fit: PowerLawFit,
    samples: int = SAMPLES[0],
    seed: int = 0,
    progress: Progress = SILENT,
) -> Goodness:
    """Draw samples and fit each.

    For the p-value a sample takes each count from the fitted law with the chance that a count is
    in the tail, and else from the counts below it. For the interval it draws with replacement from
    the counts. A p-value from n samples is right to about 1 / (2 sqrt(n)).

    Parameters
    ----------
    counts : int array
        Those that were fitted.
    fit : PowerLawFit
        Of `fit_power_law`.
    samples : int
        At least 1.
    seed : int
    progress : Progress
    """
    observed, random = tally(counts), np.random.default_rng(seed)
    worse, fitted, exponents = 0, 0, [fit.exponent]
    for _ in progress.track(range(samples), "Drawing samples and fitting each"):
        if made := _refit(_synthetic(observed, fit, random)):
            fitted += 1
            worse += made.distance >= fit.distance
        if drawn := _refit(_drawn(observed, fit.n_values, random)):
            exponents.append(drawn.exponent)
    low, high = np.quantile(exponents, [0.025, 0.975])
    return Goodness(samples, worse / max(fitted, 1), float(low), float(high))


def _refit(sample: Tally) -> Tail | None:
    if len(sample.values) < MIN_DISTINCT or sample.times.sum() < MIN_VALUES:
        return None
    return fit_tail(sample)


def _drawn(observed: Tally, n: int, random: np.random.Generator) -> Tally:
    """As many counts, drawn with replacement."""
    times = random.multinomial(n, observed.times / observed.times.sum())
    return Tally(observed.values[times > 0], times[times > 0])


def _synthetic(observed: Tally, fit: PowerLawFit, random: np.random.Generator) -> Tally:
    """As many counts: the tail from the fitted law, the rest from the counts below it."""
    n_tail = int(random.binomial(fit.n_values, fit.n_tail / fit.n_values))
    below = observed.values < fit.x_min
    tail = _power_law(fit.exponent, fit.x_min, n_tail, random)
    if not below.any():
        return tail
    body = Tally(observed.values[below], observed.times[below])
    rest = _drawn(body, fit.n_values - n_tail, random)
    return Tally(*map(np.concatenate, zip(rest, tail, strict=True)))


def _power_law(exponent: float, x_min: int, n: int, random: np.random.Generator) -> Tally:
    """Counts of the law: the smallest by their exact chances, the few beyond as if continuous.

    (Clauset et al., appendix D: rounding a continuous power law is right to 1 % from 5 up, and
    here it begins at 10,000.)
    """
    x = np.arange(x_min, x_min + _TABLE)
    at_least = zeta(exponent, np.append(x, x_min + _TABLE)) / zeta(exponent, x_min)
    chances = np.append(-np.diff(at_least), at_least[-1])
    times = random.multinomial(n, chances / chances.sum())
    start = x_min + _TABLE - 0.5
    beyond = start * random.random(times[-1]) ** (-1 / (exponent - 1)) + 0.5
    far = tally(np.minimum(beyond, _LARGEST).astype(np.int64))
    near = times[:-1] > 0
    return Tally(
        np.concatenate([x[near], far.values]), np.concatenate([times[:-1][near], far.times])
    )

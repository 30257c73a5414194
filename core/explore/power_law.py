"""How popularity is spread: rank-frequency and tail curves, and a power law fitted to the tail.

The method is that of Clauset, Shalizi and Newman, "Power-law distributions in empirical data",
SIAM Review 51 (2009), https://doi.org/10.1137/070710111, by the `powerlaw` package of Alstott,
Bullmore and Plenz, PLoS ONE 9 (2014), https://doi.org/10.1371/journal.pone.0085777.
"""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

CURVE_POINTS = 1_000
"""Points of a curve that go to the browser, at most."""

MIN_VALUES = 100
MIN_DISTINCT = 6
MIN_TAIL = 50
"""Clauset et al. (section 3.4) call fits to fewer values than this unreliable."""

MAX_CANDIDATES = 200
"""Values tried as x_min, at most."""

EXPONENTS = (1.01, 8.0)
"""Range of exponents searched. The package's own default ends at 3: popularity is often steeper."""

SIGNIFICANT = 0.1
"""Below this p-value the sign of a likelihood ratio is trusted (Clauset et al., section 5)."""


class Curve(NamedTuple):
    """Points of a line: two arrays of equal length, `x` rising."""

    x: np.ndarray
    y: np.ndarray


class Histogram(NamedTuple):
    """`counts[i]` values v with `edges[i] <= v < edges[i + 1]`; all int64."""

    edges: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """The power law against another distribution on the same tail.

    Attributes
    ----------
    alternative : str
        The other distribution, in the `powerlaw` package's spelling.
    ratio : float or None
        Log-likelihood ratio over its standard deviation (Vuong); above 0 the power law fits
        better. None where the other distribution could not be fitted.
    p_value : float or None
        Chance of a ratio this far from 0 if both fitted equally well.
    """

    alternative: str
    ratio: float | None
    p_value: float | None

    @property
    def favours(self) -> str | None:
        """The better one: "power_law", the alternative, or None without a clear difference."""
        if self.ratio is None or self.p_value is None or self.p_value >= SIGNIFICANT:
            return None
        return "power_law" if self.ratio > 0 else self.alternative


@dataclass(frozen=True)
class PowerLawFit:
    """P(count = x) proportional to x ** -exponent for the counts x >= x_min.

    Attributes
    ----------
    exponent, standard_error : float
        The maximum-likelihood exponent and its standard error (Clauset et al., equation 3.6).
    x_min : int
        The smallest count of the fitted tail.
    n_tail, n_values : int
        Counts in the tail, and in all.
    distance : float
        Kolmogorov-Smirnov distance between tail and fit, 0 to 1.
    comparisons : tuple of Comparison
    """

    exponent: float
    standard_error: float
    x_min: int
    n_tail: int
    n_values: int
    distance: float
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class NoFit:
    """Why no power law is drawn.

    Attributes
    ----------
    reason : str
        One sentence for a person.
    n_values : int
    """

    reason: str
    n_values: int


def fit_power_law(counts: np.ndarray) -> PowerLawFit | NoFit:
    """Fit a discrete power law to the tail of `counts`, or say why not.

    x_min is the candidate with the smallest Kolmogorov-Smirnov distance. The package tries every
    distinct value and goes through all counts each time; here the search runs on the distinct
    values with their multiplicities, over at most `MAX_CANDIDATES` of them, dense among the small
    and evenly spaced in their logarithm beyond, and never leaves fewer than `MIN_TAIL` counts or
    `MIN_DISTINCT` distinct ones. With that x_min the package fits exponent and distance.

    Parameters
    ----------
    counts : int array
        Playlists per track (or artist); zeros are left out.
    """
    counts = _positive(counts)
    values, multiplicities = np.unique(counts, return_counts=True)
    n_values = len(counts)
    if n_values < MIN_VALUES:
        return NoFit(f"Too few to fit: {n_values} counts, where {MIN_VALUES} are needed.", n_values)
    if len(values) < MIN_DISTINCT:
        return NoFit(
            f"Too uniform to fit: the counts take {len(values)} distinct values, where "
            f"{MIN_DISTINCT} are needed.",
            n_values,
        )
    start = _best_start(values, multiplicities)
    if start is None:
        return NoFit(
            "No power law fits: the best exponent is outside "
            f"{EXPONENTS[0]} to {EXPONENTS[1]} wherever the tail begins.",
            n_values,
        )
    return _fit_by_package(values[start:], multiplicities[start:], n_values)


def fitted_line(fit: PowerLawFit, largest: int) -> Curve:
    """The fitted share of counts >= x, for x from x_min to `largest`, scaled to the whole."""
    from scipy.special import zeta

    x = np.unique(np.geomspace(fit.x_min, max(largest, fit.x_min + 1), 100).round())
    share = zeta(fit.exponent, x) / zeta(fit.exponent, fit.x_min)
    return Curve(x, share * fit.n_tail / fit.n_values)


def rank_frequency(counts: np.ndarray) -> Curve:
    """Counts by falling rank: x = rank from 1, y = count, thinned evenly in log rank."""
    ordered = np.sort(_positive(counts))[::-1]
    picked = _thinned(len(ordered))
    return Curve(picked + 1, ordered[picked])


def ccdf(counts: np.ndarray) -> Curve:
    """Share of counts that are at least x: x = distinct counts, y from 1 down, thinned in log x."""
    values, multiplicities = np.unique(_positive(counts), return_counts=True)
    at_least = np.cumsum(multiplicities[::-1])[::-1] / max(multiplicities.sum(), 1)
    picked = _thinned(len(values))
    return Curve(values[picked], at_least[picked])


def length_histogram(lengths: np.ndarray, ratio: float = 1.15) -> Histogram:
    """Playlists by length, in bins of whole numbers that widen by `ratio`.

    Bins of equal width would put most playlists into one of them: lengths span several powers of
    ten. Widths never shrink, so that no comb appears where a bin rounds to fewer whole numbers.
    """
    lengths = _positive(lengths)
    if not len(lengths):
        return Histogram(np.array([1, 2]), np.zeros(1, np.int64))
    edges = [int(lengths.min())]
    while edges[-1] <= lengths.max():
        edges.append(edges[-1] + max(1, int(edges[-1] * (ratio - 1))))
    counts, _ = np.histogram(lengths, edges)
    return Histogram(np.array(edges), counts)


def _positive(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts)
    return counts[counts > 0].astype(np.int64)


def _thinned(n: int) -> np.ndarray:
    """At most `CURVE_POINTS` indices below n, first and last among them, evenly in log index."""
    if n <= CURVE_POINTS:
        return np.arange(n)
    return np.unique(np.geomspace(1, n, CURVE_POINTS).round().astype(np.int64)) - 1


def _best_start(values: np.ndarray, multiplicities: np.ndarray) -> int | None:
    """Index of the x_min with the smallest distance; None where no exponent is inside the range."""
    from scipy.special import zeta

    tails = np.cumsum(multiplicities[::-1])[::-1]
    mean_logs = np.cumsum((multiplicities * np.log(values))[::-1])[::-1] / tails
    starts = _candidates(tails)
    exponents = _exponents(values[starts], mean_logs[starts])
    low, high = EXPONENTS
    inside = (exponents > low + 0.01) & (exponents < high - 0.01)
    distances = []
    for start, exponent in zip(starts[inside], exponents[inside], strict=True):
        fitted = zeta(exponent, values[start:]) / zeta(exponent, values[start])
        distances.append(np.abs(fitted - tails[start:] / tails[start]).max())
    return int(starts[inside][np.argmin(distances)]) if distances else None


def _candidates(tails: np.ndarray) -> np.ndarray:
    """Indices of the distinct values at which a tail may begin, from the counts at or above each.

    Never empty: all `MIN_VALUES` or more counts make a tail.
    """
    usable = int((tails[: len(tails) - MIN_DISTINCT + 1] >= MIN_TAIL).sum())
    if usable <= MAX_CANDIDATES:
        return np.arange(usable)
    return np.unique(np.geomspace(1, usable, MAX_CANDIDATES).round().astype(np.int64)) - 1


def _exponents(x_min: np.ndarray, mean_logs: np.ndarray) -> np.ndarray:
    """Maximum-likelihood exponents of tails from `x_min` up with these mean log counts.

    Where the slope of the likelihood, mean log + d log zeta / d exponent (Clauset et al., equation
    3.5), is zero; the slope rises with the exponent, and halving the range finds it.
    """
    from scipy.special import zeta

    step = 1e-4
    low, high = (np.full(len(x_min), bound) for bound in EXPONENTS)
    for _ in range(40):
        middle = (low + high) / 2
        change = np.log(zeta(middle + step, x_min) / zeta(middle - step, x_min))
        too_low = mean_logs + change / (2 * step) < 0
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2


def _fit_by_package(
    values: np.ndarray, multiplicities: np.ndarray, n_values: int
) -> PowerLawFit | NoFit:
    """Fit the tail of these distinct values."""
    import powerlaw

    x_min, n_tail = int(values[0]), int(multiplicities.sum())
    with warnings.catch_warnings():
        # The package warns of what its flags say too, and the flags are read below.
        warnings.simplefilter("ignore")
        law = powerlaw.Fit(
            np.repeat(values, multiplicities),
            xmin=x_min,
            discrete=True,
            estimate_discrete=False,
            parameter_ranges={"alpha": list(EXPONENTS)},
            verbose=0,
        ).power_law
        if law.noise_flag:
            return NoFit(f"The fit did not converge on the {n_tail} counts from {x_min}.", n_values)
        comparison = _compare(law, powerlaw.Lognormal, values, multiplicities)
    exponent = float(law.alpha)
    return PowerLawFit(
        exponent=exponent,
        standard_error=_standard_error(exponent, x_min, n_tail),
        x_min=x_min,
        n_tail=n_tail,
        n_values=n_values,
        distance=float(law.D),
        comparisons=(comparison,),
    )


def _compare(
    law: Any, alternative: Any, values: np.ndarray, multiplicities: np.ndarray
) -> Comparison:
    """Likelihood ratio of a fitted power law to another distribution of the package.

    The other one is fitted as the package does it, but on distinct values: on millions of counts
    the package takes half a minute.

    A lognormal imitates a power law with ever lower mean and ever larger variance: on a clean
    power law its likelihood has no maximum to converge to, and no ratio is given.
    """
    import powerlaw
    from scipy.optimize import minimize

    # An instance needs data; what it fits to them without multiplicities is overwritten below.
    other = alternative(xmin=law.xmin, discrete=True, data=values, verbose=0)
    start = other.generate_initial_parameters(np.repeat(values, multiplicities))

    def cost(parameters: np.ndarray) -> float:
        other.set_parameters(parameters)
        return -float(multiplicities @ other.loglikelihoods(values))

    best = minimize(
        cost,
        list(start.values()),
        method="Nelder-Mead",
        bounds=list(other.parameter_ranges.values()),
        tol=1e-4,
    )
    other.set_parameters(best.x)
    if not (best.success and other.in_range()):
        return Comparison(other.name, None, None)
    ratio, p_value = powerlaw.loglikelihood_ratio(
        np.repeat(law.loglikelihoods(values), multiplicities),
        np.repeat(other.loglikelihoods(values), multiplicities),
        normalized_ratio=True,
    )
    return Comparison(other.name, float(ratio), float(p_value))


def _standard_error(exponent: float, x_min: int, n: int) -> float:
    """Clauset et al., equation 3.6: one over the root of n times the curvature of log zeta.

    The package has the continuous approximation (exponent - 1) / sqrt(n), too large at small x_min.
    """
    from scipy.special import zeta

    step = 1e-3
    below, at, above = np.log(zeta(exponent + np.array([-step, 0.0, step]), x_min))
    return float(1 / np.sqrt(n * (below - 2 * at + above) / step**2))

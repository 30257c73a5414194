"""A power law fitted to the tail of a distribution of counts, and compared with other laws.

The method is that of Clauset, Shalizi and Newman, "Power-law distributions in empirical data",
SIAM Review 51 (2009), https://doi.org/10.1137/070710111. Everything runs on the distinct counts
and how often each occurs, so that millions of tracks cost no more than thousands. The tests hold
the figures to those of the `powerlaw` package of Alstott, Bullmore and Plenz, PLoS ONE 9 (2014),
https://doi.org/10.1371/journal.pone.0085777.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from core.explore.spread import Curve, positive

MIN_VALUES = 100
MIN_DISTINCT = 6
MIN_TAIL = 50
"""Clauset et al. (section 3.4) call fits to fewer values than this unreliable."""

MAX_CANDIDATES = 200
"""Values tried as x_min, at most."""

EXPONENTS = (1.01, 8.0)
"""Range of exponents searched. The package's own default ends at 3: popularity is often steeper."""

SIGNIFICANT = 0.1
"""Below this p-value the sign of a likelihood ratio is trusted, and a power law is ruled out
(Clauset et al., sections 4 and 5)."""

_CELLS_AT_ONCE = 500_000
_SMALL = 20.0


class Tally(NamedTuple):
    """Distinct counts, rising and above 0, and how often each occurs; int64, equal lengths."""

    values: np.ndarray
    times: np.ndarray


class Tail(NamedTuple):
    """The best power law of a tally: where its tail begins, as an index and a value, and its fit.

    `exponent` and `distance` are as in `PowerLawFit`.
    """

    start: int
    x_min: int
    exponent: float
    distance: float


@dataclass(frozen=True)
class Comparison:
    """The power law against another distribution on the same tail.

    Attributes
    ----------
    alternative : str
        "exponential", "lognormal" or "truncated power law".
    ratio : float or None
        Log-likelihood ratio over its standard deviation (Vuong); above 0 the power law fits
        better. To the truncated power law, of which the power law is one case, the ratio itself,
        never above 0. None where the other distribution could not be fitted.
    p_value : float or None
        Chance of a ratio this far from 0 if both fitted equally well.
    """

    alternative: str
    ratio: float | None
    p_value: float | None

    @property
    def favours(self) -> str | None:
        """The better one: "power law", the alternative, or None without a clear difference."""
        if self.ratio is None or self.p_value is None or self.p_value >= SIGNIFICANT:
            return None
        return "power law" if self.ratio > 0 else self.alternative


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


def tally(counts: np.ndarray) -> Tally:
    """Distinct counts and how often each occurs; zeros are left out."""
    return Tally(*np.unique(positive(counts), return_counts=True))


def fit_power_law(counts: np.ndarray) -> PowerLawFit | NoFit:
    """Fit a discrete power law to the tail of `counts`, or say why not.

    x_min is the candidate with the smallest Kolmogorov-Smirnov distance. At most `MAX_CANDIDATES`
    distinct counts are tried, dense among the small and evenly spaced in their logarithm beyond,
    and none that leaves fewer than `MIN_TAIL` counts or `MIN_DISTINCT` distinct ones.

    Parameters
    ----------
    counts : int array
        Playlists per track (or artist); zeros are left out.
    """
    counted = tally(counts)
    n_values, n_distinct = int(counted.times.sum()), len(counted.values)
    if n_values < MIN_VALUES:
        return NoFit(f"Too few to fit: {n_values} counts, where {MIN_VALUES} are needed.", n_values)
    if n_distinct < MIN_DISTINCT:
        return NoFit(
            f"Too uniform to fit: the counts take {n_distinct} distinct values, where "
            f"{MIN_DISTINCT} are needed.",
            n_values,
        )
    tail = fit_tail(counted)
    if tail is None:
        return NoFit(
            "No power law fits: the best exponent is outside "
            f"{EXPONENTS[0]} to {EXPONENTS[1]} wherever the tail begins.",
            n_values,
        )
    values, times = counted.values[tail.start :], counted.times[tail.start :]
    n_tail = int(times.sum())
    return PowerLawFit(
        exponent=tail.exponent,
        standard_error=_standard_error(tail.exponent, tail.x_min, n_tail),
        x_min=tail.x_min,
        n_tail=n_tail,
        n_values=n_values,
        distance=tail.distance,
        comparisons=tuple(
            _compare(law, tail.exponent, Tally(values, times)) for law in ALTERNATIVES
        ),
    )


def fitted_line(fit: PowerLawFit, largest: int) -> Curve:
    """The fitted share of counts >= x, for x from x_min to `largest`, scaled to the whole."""
    x = np.unique(np.geomspace(fit.x_min, max(largest, fit.x_min + 1), 100).round())
    share = zeta(fit.exponent, x) / zeta(fit.exponent, fit.x_min)
    return Curve(x, share * fit.n_tail / fit.n_values)


def fit_tail(counted: Tally) -> Tail | None:
    """The x_min with the smallest distance; None where no exponent is inside the range.

    There must be `MIN_VALUES` counts of `MIN_DISTINCT` distinct values.
    """
    values, times = counted
    at_least = np.cumsum(times[::-1])[::-1]
    mean_logs = np.cumsum((times * np.log(values))[::-1])[::-1] / at_least
    starts = _candidates(at_least)
    exponents = _exponents(values[starts], mean_logs[starts])
    inside = (exponents > EXPONENTS[0] + 0.01) & (exponents < EXPONENTS[1] - 0.01)
    starts, exponents = starts[inside], exponents[inside]
    if not len(starts):
        return None
    distances = np.concatenate(
        [
            _distances(values, at_least, starts[block], exponents[block])
            for block in _blocks(len(starts), len(values))
        ]
    )
    best = int(distances.argmin())
    start = int(starts[best])
    return Tail(start, int(values[start]), float(exponents[best]), float(distances[best]))


def zeta(exponent: np.ndarray | float, x: np.ndarray | float) -> np.ndarray:
    """Hurwitz zeta, the sum of (x + k) ** -exponent over k from 0; exponents as in `EXPONENTS`.

    Beyond 20 by the Euler-Maclaurin formula to the fifth derivative, right to 8 digits and ten
    times as fast as SciPy's, which has the rest (https://dlmf.nist.gov/25.11.E28).
    """
    from scipy.special import zeta as exactly

    s, q = np.broadcast_arrays(np.asarray(exponent, np.float64), np.asarray(x, np.float64))
    third = s * (s + 1) * (s + 2) / (720 * q**3) * (1 - (s + 3) * (s + 4) / (42 * q**2))
    total = np.asarray(q**-s * (q / (s - 1) + 0.5 + s / (12 * q) - third))
    small = q < _SMALL
    total[small] = exactly(s[small], q[small])
    return total


def _candidates(at_least: np.ndarray) -> np.ndarray:
    """Indices of the distinct values at which a tail may begin, from the counts at or above each.

    Never empty: all `MIN_VALUES` or more counts make a tail.
    """
    usable = int((at_least[: len(at_least) - MIN_DISTINCT + 1] >= MIN_TAIL).sum())
    if usable <= MAX_CANDIDATES:
        return np.arange(usable)
    return np.unique(np.geomspace(1, usable, MAX_CANDIDATES).round().astype(np.int64)) - 1


def _exponents(x_min: np.ndarray, mean_logs: np.ndarray) -> np.ndarray:
    """Maximum-likelihood exponents of tails from `x_min` up with these mean log counts.

    Where the slope of the likelihood, mean log + d log zeta / d exponent (Clauset et al., equation
    3.5), is zero; the slope rises with the exponent, and halving the range finds it.
    """
    step = 1e-4
    low, high = (np.full(len(x_min), bound) for bound in EXPONENTS)
    for _ in range(30):
        middle = (low + high) / 2
        change = np.log(zeta(middle + step, x_min) / zeta(middle - step, x_min))
        too_low = mean_logs + change / (2 * step) < 0
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2


def _distances(
    values: np.ndarray, at_least: np.ndarray, starts: np.ndarray, exponents: np.ndarray
) -> np.ndarray:
    """Largest gap between observed and fitted share of counts >= x, for each start."""
    fitted = zeta(exponents[:, None], values) / zeta(exponents, values[starts])[:, None]
    gaps = np.abs(fitted - at_least / at_least[starts][:, None])
    return np.where(np.arange(len(values)) >= starts[:, None], gaps, 0.0).max(axis=1)


def _blocks(rows: int, columns: int) -> list[slice]:
    """Slices of so many rows that a table of them stays small."""
    size = max(1, _CELLS_AT_ONCE // columns)
    return [slice(start, start + size) for start in range(0, rows, size)]


def _standard_error(exponent: float, x_min: int, n: int) -> float:
    """Clauset et al., equation 3.6: one over the root of n times the curvature of log zeta.

    The package has the continuous approximation (exponent - 1) / sqrt(n), too large at small x_min.
    """
    step = 1e-3
    below, at, above = np.log(zeta(exponent + np.array([-step, 0.0, step]), x_min))
    return float(1 / np.sqrt(n * (below - 2 * at + above) / step**2))


# --- other laws ---


@dataclass(frozen=True)
class _Law:
    """Another distribution of the counts from x_min up.

    Attributes
    ----------
    name : str
    log_likelihoods : callable (parameters, values, x_min) -> float array
    bounds : tuple of (low, high)
        Of the parameters.
    start : callable (exponent, mean, mean and deviation of logs) -> list of float
        Where the search for the parameters begins.
    holds_power_law : bool
        Whether a power law is one case of it, so that it always fits as well.
    """

    name: str
    log_likelihoods: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    bounds: tuple[tuple[float | None, float | None], ...]
    start: Callable[[float, float, float, float], list[float]]
    holds_power_law: bool = False


def _exponential(parameters: np.ndarray, values: np.ndarray, x_min: int) -> np.ndarray:
    (rate,) = parameters
    return np.log(-np.expm1(-rate)) - rate * (values - x_min)


def _lognormal(parameters: np.ndarray, values: np.ndarray, x_min: int) -> np.ndarray:
    """A lognormal rounded to whole numbers."""
    from scipy.special import log_ndtr

    mean, deviation = parameters

    def above(x: np.ndarray | float) -> np.ndarray:
        return log_ndtr((mean - np.log(x)) / deviation)

    more, less = above(values - 0.5), above(values + 0.5)
    return more + np.log(-np.expm1(less - more)) - above(x_min - 0.5)


def _truncated(parameters: np.ndarray, values: np.ndarray, x_min: int) -> np.ndarray:
    """A power law times an exponential cut-off."""
    exponent, rate = parameters
    scale = np.log(_cut_off_sum(exponent, rate, x_min))
    return -exponent * np.log(values / x_min) - rate * (values - x_min) - scale


def _cut_off_sum(exponent: float, rate: float, x_min: int) -> float:
    """The sum of (x / x_min) ** -exponent * exp(-rate (x - x_min)) over whole x from x_min.

    The first terms one by one, the others as an integral over the logarithm of x with its first
    Euler-Maclaurin corrections.
    """

    def term(x: np.ndarray | float) -> np.ndarray:
        return np.exp(-exponent * np.log(x / x_min) - rate * (x - x_min))

    far = float(x_min + 1_000)
    widest = np.log(1 + 60 / (rate * far))
    if exponent > 1:
        widest = min(widest, 60 / (exponent - 1))
    nodes, weights = _quadrature()
    x = far * np.exp(widest * (nodes + 1) / 2)
    beyond = widest / 2 * float(weights @ (x * term(x)))
    slope = (exponent / far + rate) * float(term(far))
    return float(term(np.arange(x_min, far)).sum() + beyond + term(far) / 2 + slope / 12)


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes from -1 to 1 and their weights (Gauss-Legendre)."""
    return np.polynomial.legendre.leggauss(200)


ALTERNATIVES = (
    _Law("exponential", _exponential, ((1e-9, None),), lambda _, mean, *__: [1 / mean]),
    _Law(
        "lognormal",
        _lognormal,
        ((None, None), (1e-3, None)),
        lambda _, __, mean, deviation: [mean, max(deviation, 0.1)],
    ),
    _Law(
        "truncated power law",
        _truncated,
        ((0.0, EXPONENTS[1]), (1e-9, None)),
        lambda exponent, mean, *_: [min(exponent, EXPONENTS[1]), 1 / mean],
        holds_power_law=True,
    ),
)


def _compare(law: _Law, exponent: float, tail: Tally) -> Comparison:
    """Likelihood ratio of the fitted power law to another law, fitted to the same tail.

    A lognormal imitates a power law with ever lower mean and ever larger variance: on a clean
    power law its likelihood has no maximum to converge to, and no ratio is given. A truncated
    power law then has no cut-off and is the power law itself: the ratio is 0.
    """
    from scipy.optimize import minimize

    values, times = tail
    x_min, logs = int(values[0]), np.log(values)
    mean_log = float(np.average(logs, weights=times))
    spread = float(np.sqrt(np.average((logs - mean_log) ** 2, weights=times)))
    mean = float(np.average(values, weights=times))

    def cost(parameters: np.ndarray) -> float:
        return -float(times @ law.log_likelihoods(parameters, values, x_min))

    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        best = minimize(
            cost,
            law.start(exponent, mean, mean_log, spread),
            method="Nelder-Mead",
            bounds=law.bounds,
            options={"xatol": 1e-5, "fatol": 1e-5, "maxfev": 400},
        )
    if not (best.success and np.isfinite(best.fun)):
        return Comparison(law.name, None, None)
    ours = -exponent * logs - np.log(zeta(exponent, x_min))
    gains = ours - law.log_likelihoods(best.x, values, x_min)
    return Comparison(law.name, *_ratio_test(gains, times, law.holds_power_law))


def _ratio_test(gains: np.ndarray, times: np.ndarray, nested: bool) -> tuple[float, float]:
    """The ratio and its p-value from differences in log-likelihood (Clauset et al., appendix C).

    (Q. H. Vuong, Econometrica 57, 1989, https://doi.org/10.2307/1912557; where one law is a case
    of the other, twice the ratio is chi-squared with one degree of freedom, which has no use for
    the deviation.)
    """
    from scipy.special import erfc

    total = float(times @ gains)
    if nested:
        total = min(total, 0.0)  # the search may stop short of the case that is the power law
        return total, float(erfc(np.sqrt(-total)))
    deviation = float(np.sqrt(times @ (gains - total / times.sum()) ** 2))
    if not deviation:
        return 0.0, 1.0
    return total / deviation, float(erfc(abs(total) / (np.sqrt(2) * deviation)))

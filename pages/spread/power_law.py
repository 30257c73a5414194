"""Whether the tail is a power law: the fit, its bootstrap, and other laws, in words and figures."""

from collections.abc import Callable

import streamlit as st

from core.explore.goodness import SAMPLES, Goodness, goodness
from core.explore.power_law import SIGNIFICANT, Comparison, PowerLawFit
from pages.common import view
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import PageProgress, plain
from pages.spread.holders import Holders, counts

DRAWN = Choice("popularity.samples", SAMPLES[0], view.one_of(SAMPLES, int))


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept(version: Version, noun: str, samples: int) -> list[Goodness]:
    """A place for what is drawn once for all sessions; empty before."""
    return []


def known(version: Version, found: Holders) -> Goodness | None:
    """How well the law fits, if that many samples have been drawn."""
    return next(iter(_kept(version, found.noun, view.get(DRAWN))), None)


def verdict(version: Version, found: Holders, good: Goodness | None) -> Callable[[], None] | None:
    """The fit in words and in numbers, or why there is none; what to call if samples lack yet."""
    st.subheader("Is it a power law?", anchor=False)
    fit = found.fit
    if not isinstance(fit, PowerLawFit):
        st.info(plain(fit.reason), icon=":material/show_chart:")
        return None
    place = st.container()
    if good:
        place.write(_in_words(good, fit))
    _compared(fit)
    st.caption(
        f"Fitted by maximum likelihood to the {fit.n_tail:,} of {fit.n_values:,} {found.noun}s in "
        f"{fit.x_min:,} or more playlists (x_min), where the law fits best: the "
        f"Kolmogorov-Smirnov distance is {fit.distance:.3f}. After Clauset, Shalizi and Newman "
        "(2009). The p-value is the share of samples of the fitted law, each fitted anew with its "
        "own x_min, that lie as far from their fit; the interval is over data drawn anew from the "
        f"data. Below p = {SIGNIFICANT} a power law is ruled out."
    )
    view.widget(
        st.segmented_control,
        "Samples, more for a finer p-value",
        DRAWN,
        options=SAMPLES,
        format_func="{:,}".format,
        required=True,
    )
    return None if good else lambda: _draw(version, found.noun, fit, place)


def in_figures(good: Goodness) -> str:
    """The p-value, no finer than its samples tell."""
    least, digits = 1 / good.samples, len(str(good.samples)) - 1
    return f"p < {least:g}" if good.p_value < least else f"p = {good.p_value:.{digits}f}"


def _draw(
    version: Version, noun: str, fit: PowerLawFit, place: st.delta_generator.DeltaGenerator
) -> None:
    """Draw the samples with a bar where the verdict will stand, and show the page again."""
    samples = view.get(DRAWN)
    with place:
        progress = PageProgress()
    found = goodness(counts(version, noun), fit, samples, progress=progress)
    _kept(version, noun, samples).append(found)
    st.rerun()


def _in_words(good: Goodness, fit: PowerLawFit) -> str:
    drawn = f"{good.samples:,} samples drawn from the fitted law"
    if good.plausible:
        first = (
            f"**It may be one.** Of {drawn}, {good.p_value:.0%} lie as far from it as the data do."
        )
    else:
        first = (
            f"**No.** Of {drawn}, {_few(good.p_value)} as far from it as the data do; the exponent "
            "only describes how steeply the tail falls."
        )
    return f"{first} {_others(fit)}"


def _few(share: float) -> str:
    return f"only {share:.1%} lie" if share else "none lies"


def _others(fit: PowerLawFit) -> str:
    """Which of the other laws fit better, if any."""
    better = [_with_article(c.alternative) for c in fit.comparisons if c.favours == c.alternative]
    if not better:
        return "No other law that was tried fits the tail clearly better."
    names = f"{', '.join(better[:-1])} and {better[-1]}" if len(better) > 1 else better[0]
    return f"{names[0].upper()}{names[1:]} {'fits' if len(better) == 1 else 'fit'} the tail better."


def _with_article(law: str) -> str:
    return f"{'an' if law[0] in 'aeiou' else 'a'} {law}"


def _compared(fit: PowerLawFit) -> None:
    st.table(
        {
            "Compared with": [c.alternative.capitalize() for c in fit.comparisons],
            "Log-likelihood ratio": [
                "–" if c.ratio is None else f"{c.ratio:+.1f}" for c in fit.comparisons
            ],
            "p": [_p_value(c) for c in fit.comparisons],
            "Fits better": [_better(c) for c in fit.comparisons],
        },
        border="horizontal",
        hide_index=True,
        alt="The power law against other laws on the same tail",
    )


def _p_value(comparison: Comparison) -> str:
    if comparison.p_value is None:
        return "–"
    return "< 0.001" if comparison.p_value < 0.001 else f"{comparison.p_value:.3f}"


def _better(comparison: Comparison) -> str:
    if comparison.ratio is None:
        return "could not be fitted"
    return (comparison.favours or "no telling").capitalize()

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest

from core.explore.palette import palette

THEME = tomllib.loads(
    (Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8")
)["theme"]
PAGES = pytest.mark.parametrize("page", ["light", "dark"])

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SEEN_BY = {
    "anyone": np.eye(3),
    "deuteranope": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanope": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "tritanope": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab/), in which distances are what one
# sees; here lightness runs from 0 to 100.
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def blend(over: str, under: str, opacity: float) -> str:
    top, bottom = (
        np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in (over, under)
    )
    return "#" + "".join(f"{round(value):02X}" for value in opacity * top + (1 - opacity) * bottom)


def oklab(colour: str, seen_by: str = "anyone") -> np.ndarray:
    seen = (SEEN_BY[seen_by] @ linear(colour)).clip(0, 1)
    return 100 * OKLAB @ np.cbrt(CONES @ seen)


def closest(colours, seen_by: str) -> float:
    seen = [oklab(colour, seen_by) for colour in colours]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


@PAGES
@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_categories_stay_distinct(page, seen_by):
    okabe_ito = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442"]
    ours = closest(palette(page == "dark").categorical, seen_by)
    assert ours > 9
    if seen_by in ("deuteranope", "protanope"):
        assert ours > closest(okabe_ito, seen_by) + 2


@PAGES
def test_charts_stand_out_from_the_page(page):
    colours = palette(page == "dark")
    assert all(contrast(each, colours.background) >= 3 for each in colours.categorical)
    assert contrast(colours.accent, colours.background) >= 4.5
    assert contrast(colours.ink, colours.background) >= 7
    assert contrast(colours.muted, colours.background) >= 4.5
    assert contrast(colours.other, colours.background) >= 2


@PAGES
@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_more_is_louder_on_the_sequential_scale(page, seen_by):
    colours = palette(page == "dark")
    lightness = np.array([oklab(each, seen_by)[0] for each in colours.sequential])
    steps = np.diff(lightness) * (1 if page == "dark" else -1)
    assert (steps > 2).all()
    assert contrast(colours.sequential[-1], colours.background) > 9


@PAGES
@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_the_diverging_scale_has_two_ends_and_a_quiet_middle(page, seen_by):
    colours = palette(page == "dark")
    ends = [oklab(colours.diverging[i], seen_by) for i in (0, -1)]
    assert np.linalg.norm(ends[0] - ends[1]) > 15
    loudness = [contrast(each, colours.background) for each in colours.diverging]
    assert loudness[:5] == sorted(loudness[:5], reverse=True)
    assert loudness[5:] == sorted(loudness[5:])


@PAGES
def test_scales_span_zero_to_one(page):
    for diverging in (False, True):
        scale = palette(page == "dark").scale(diverging)
        assert [scale[0][0], scale[-1][0], len(scale)] == [0, 1, 10]


@PAGES
def test_the_theme_has_the_palettes_colours(page):
    theme, colours = THEME[page], palette(page == "dark")
    assert theme["chartCategoricalColors"] == list(colours.categorical)
    assert theme["chartSequentialColors"] == list(colours.sequential)
    assert theme["chartDivergingColors"] == list(colours.diverging)
    assert theme["backgroundColor"] == colours.background
    assert theme["textColor"] == colours.ink
    assert theme["dataframeHeaderTextColor"] == colours.muted


@PAGES
def test_the_theme_is_legible(page):
    theme = THEME[page]
    sidebar = theme["sidebar"]
    surfaces = [
        *(theme[key] for key in ("backgroundColor", "secondaryBackgroundColor")),
        *(sidebar[key] for key in ("backgroundColor", "secondaryBackgroundColor")),
    ]
    for surface in surfaces:
        assert contrast(theme["textColor"], surface) >= 7
        assert contrast(theme["linkColor"], surface) >= 4.5
        # As the edge of a control; Streamlit also writes the chosen tab in this colour.
        assert contrast(theme["primaryColor"], surface) >= 3
        # Captions are the text at 60 %.
        assert contrast(blend(theme["textColor"], surface, 0.6), surface) >= 4.5
    # Streamlit writes white on primary buttons whatever their colour.
    assert contrast("#FFFFFF", theme["primaryColor"]) >= 4.5
    header = theme["dataframeHeaderBackgroundColor"]
    assert contrast(theme["dataframeHeaderTextColor"], header) >= 4.5


def test_no_font_needs_a_network():
    assert "fontFaces" not in THEME
    families = {THEME["font"], THEME["headingFont"], THEME["codeFont"]}
    assert families <= {"sans-serif", "serif", "monospace"}

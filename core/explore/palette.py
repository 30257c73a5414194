"""The colours of every chart, for a light and a dark page, from data/palette.json.

The categorical colours start from the hues of Okabe and Ito (https://jfly.uni-koeln.de/color/) and
were moved apart until they stay distinct under simulated deuteranopia, protanopia and tritanopia
and stand out at 3:1 from their page. In both scales the last colour is the most prominent one on
its page, so that more is louder in the light and in the dark.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PALETTE = Path(__file__).resolve().parents[2] / "data" / "palette.json"


@dataclass(frozen=True)
class Palette:
    """Colours as "#RRGGBB".

    Attributes
    ----------
    background, ink, muted, grid : str
        The page, its text, its second-rank text, its hairlines.
    accent : str
        What the page wants seen: the continuation, a fitted line.
    other : str
        Whatever has no colour of its own.
    categorical : tuple of 7 str
    sequential : tuple of 10 str
        From little to much.
    diverging : tuple of 10 str
        From one extreme through neutral to the other.
    """

    background: str
    ink: str
    muted: str
    grid: str
    accent: str
    other: str
    categorical: tuple[str, ...]
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]

    def scale(self, diverging: bool = False) -> list[tuple[float, str]]:
        """The sequential or diverging colours as a plotly colour scale."""
        colours = self.diverging if diverging else self.sequential
        return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]


@cache
def palette(dark: bool = False) -> Palette:
    """The colours for a light or a dark page."""
    colours = json.loads(PALETTE.read_text(encoding="utf-8"))["dark" if dark else "light"]
    for name in ("categorical", "sequential", "diverging"):
        colours[name] = tuple(colours[name])
    return Palette(**colours)

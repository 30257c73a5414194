"""What a person reads of a dial: its settings, and what each of them costs and gains."""

import re

from core.evaluation.dials import DialReport, DialRow
from core.evaluation.metrics import Figure
from pages.common import session

MEASURES = {
    "r_precision": ("R-precision", 1.0, 3, ""),
    "coverage": ("coverage", 100.0, 0, "points"),
    "novelty": ("novelty", 1.0, 1, "bits"),
}
"""What the sidebar says of a setting: name, factor, decimals and unit, by metric key."""


def label(dial: str, value: float) -> str:
    """What a person calls a setting of a dial.

    >>> label("popularity", -0.5)
    'Popularity: deep cuts 50 %'
    """
    match dial:
        case "popularity":
            return f"Popularity: {'hits' if value > 0 else 'deep cuts'} {100 * abs(value):.0f} %"
        case "adventure":
            side = "adventurous" if value > 0 else "familiar"
            return f"Adventure: {side} {100 * abs(value):.0f} %"
        case "per_artist":
            return f"At most {value:.0f} per artist"
        case "variety":
            return f"Variety {100 * value:.0f} %"
        case "one_version":
            return "One version of a song" if value else "All versions of a song"
        case "smooth":
            return "Smooth transitions" if value else "No smooth transitions"
    return f"{dial} {value:g}"


def cost(row: DialRow) -> str:
    """What a setting costs and gains, in one line.

    >>> gap = {"r_precision": Figure(-0.0123, -0.02, -0.005), "coverage": Figure(0.03)}
    >>> cost(DialRow("smooth", True, {}, gap | {"novelty": Figure(0.4, 0.3, 0.5)}))
    'R-precision −.012 · coverage +3 points · novelty +0.4 bits'
    """
    return " · ".join(
        f"{name} {_change(row.difference[key], factor, digits, unit)}"
        for key, (name, factor, digits, unit) in MEASURES.items()
        if row.difference[key].value is not None
    )


def _change(gap: Figure, factor: float, digits: int, unit: str) -> str:
    if gap.low is not None and gap.high is not None and gap.low <= 0 <= gap.high:
        return "no clear change"
    size = _signed(factor * (gap.value or 0), digits)
    if not re.search("[1-9]", size):
        return "unchanged"
    return f"{size} {unit.removesuffix('s') if size[1:] == '1' else unit}".rstrip()


def measured_on(row: DialRow, report: DialReport) -> str:
    """How a setting was measured, with its intervals: for a tooltip."""
    lines = [
        f"Against the default, this dial alone turned, on {report.playlists:,} playlists whose "
        "ends were hidden. 95 % intervals:"
    ]
    for key, (name, factor, digits, unit) in MEASURES.items():
        gap = row.difference[key]
        if gap.low is not None and gap.high is not None:
            ends = (_signed(factor * end, digits + 1) for end in (gap.low, gap.high))
            lines.append(f"- {name} {' to '.join(ends)} {unit}".rstrip())
        elif gap.value is not None:
            lines.append(f"- {name}: none, it is of all lists together")
    return "\n".join(lines)


def costs(dial: str, value: float) -> tuple[str, str]:
    """The line below a dial that is turned, and its tooltip."""
    report = session.dials(session.version())
    row = report.row(dial, value) if report else None
    if report is None or row is None:
        return "Cost not measured here", ""
    return cost(row), measured_on(row, report)


def _signed(value: float, digits: int) -> str:
    """A number with its sign, as short as it can be: +3, −.012."""
    text = f"{abs(round(value, digits)):.{digits}f}"
    sign = "−" if round(value, digits) < 0 else "+"
    return sign + (text.removeprefix("0") if digits >= 2 else text)

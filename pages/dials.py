"""What a person and a spreadsheet read of the dials' measured costs."""

import pandas as pd

from core.dataset.export import harmless
from core.evaluation.dials import DialReport


def label(dial: str, value: float) -> str:
    """What a person calls a setting of a dial.

    >>> label("popularity", -0.5)
    'Popularity: deep cuts 50 %'
    """
    match dial:
        case "popularity":
            return f"Popularity: {'hits' if value > 0 else 'deep cuts'} {100 * abs(value):.0f} %"
        case "per_artist":
            return f"At most {value:.0f} per artist"
        case "variety":
            return f"Variety {100 * value:.0f} %"
        case "one_version":
            return "One version of a song" if value else "All versions of a song"
        case "smooth":
            return "Smooth transitions" if value else "No smooth transitions"
    return f"{dial} {value:g}"


def to_csv(report: DialReport) -> str:
    """CSV of one difference a line, with the ends of its interval; empty where there is none."""
    lines = [
        {
            "dial": harmless(row.dial),
            "value": row.value,
            "measure": measure,
            "figure": row.figures[measure].value,
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
        }
        for row in report.rows
        for measure, difference in row.difference.items()
    ]
    return pd.DataFrame(lines).to_csv(index=False)

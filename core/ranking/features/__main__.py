"""`python -m core.ranking.features` prints docs/features.md: every feature with its unit."""

import sys

from core.ranking.features import documented

HEAD = """# What the ranker sees of a candidate

One row a feature, as `python -m core.ranking.features` prints them. A value that is not known is
missing, never 0.

| feature | what it says | unit and range |
|---|---|---|
"""


def table() -> str:
    """The features as Markdown."""
    rows = (f"| `{one.name}` | {one.meaning} | {one.unit} |\n" for one in documented())
    return HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(table())

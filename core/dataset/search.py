"""Text search over the tracks and artists of a dataset.

Two tantivy indices a dataset, memory-mapped: `tracks` and `artists`. Names are cut into words here,
the same way for names and queries, more forgivingly than `core.dataset.text` compares them: see
`analyse`. The query is never parsed, so no character in it means anything but itself.

An answer is filled tier by tier, each asked only where those before leave room:

1. every word of the query is a word of title or artist,
2. the last word may be the beginning of a word, as while typing,
3. words may also come from the album,
4. one word may have a typo (one letter wrong, missing, added, or two swapped),
5. every word may have one, long words two.

Tiers 4 and 5 are for queries that find nearly nothing. Within a tier the most popular comes first,
and a match of a whole title, a whole artist name, or both together counts as `WHOLE` times more
popular. Popularity is the order of ids, taken as Zipf's law: popularity = 1 / (id + 1).
"""

import math
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

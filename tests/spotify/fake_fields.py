"""The parameter `fields` of a playlist's paths: which parts of the answer are wanted.

"total,items(item(name,artists.name))" is an example of
https://developer.spotify.com/documentation/web-api/reference/get-playlist.
"""

from collections.abc import Iterator
from typing import Any

Tree = dict[str, "Tree"]


def narrowed(told: Any, wanted: str) -> Any:
    """An answer with nothing but the wanted fields."""
    return _kept(told, _tree(wanted))


def _kept(told: Any, tree: Tree) -> Any:
    """What a tree names; an empty one wants everything."""
    if not tree:
        return told
    if isinstance(told, list):
        return [_kept(one, tree) for one in told]
    if isinstance(told, dict):
        return {name: _kept(told[name], inner) for name, inner in tree.items() if name in told}
    return told


def _tree(wanted: str) -> Tree:
    tree: Tree = {}
    for part in _parts(wanted):
        path, _, inner = part.partition("(")
        here = tree
        for name in path.split("."):
            here = here.setdefault(name, {})
        if inner:
            here |= _tree(inner.removesuffix(")"))
    return tree


def _parts(wanted: str) -> Iterator[str]:
    """What stands between the commas that are in no parentheses."""
    depth = start = 0
    for at, letter in enumerate(f"{wanted},"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield wanted[start:at]
            start = at + 1

"""Choices of single pages that travel in the link: what is shown, not what is asked.

A page declares a `Choice` for each thing a person may set on it, gives it to its widgets with
`widget`, and reads it with `get`. The link carries every choice that differs from its default,
under a word such as `map.colour`; a text that is no choice is named on the page and dropped.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from pages.common import session

T = TypeVar("T")
MOST_LETTERS = 2000
_WORD = re.compile(r"[a-z]+\.[a-z_]+")


@dataclass(frozen=True)
class Choice(Generic[T]):
    """What a person may set on a page.

    Attributes
    ----------
    word : str
        In the link, page and name: "map.colour".
    default : T
    read : callable (str) -> T
        Raises ValueError for what is no choice.
    write : callable (T) -> str
    """

    word: str
    default: T
    read: Callable[[str], T]
    write: Callable[[T], str] = str

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.word):
            raise ValueError(f"a choice is called page.name, not {self.word!r}")


def one_of(options: Sequence[T], kind: Callable[[str], T]) -> Callable[[str], T]:
    """A reader that takes these options only; `kind` makes one of a text."""

    def read(text: str) -> T:
        value = kind(text)
        if value not in options:
            raise ValueError(text)
        return value

    return read


def between(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` to `high`."""
    return one_of(range(low, high + 1), int)


def get(choice: Choice[T]) -> T:
    """What is chosen, by a person or a link; else the default."""
    words = session.view_words()
    text = words.get(choice.word)
    if text is None:
        return choice.default
    try:
        return choice.read(text[:MOST_LETTERS])
    except ValueError:
        del words[choice.word]
        session.say(f"The link says {choice.word}={text[:80]}, which is no choice here.")
        return choice.default


def put(choice: Choice[T], value: T) -> None:
    """Choose, and say so in the link; for callbacks."""
    words = session.view_words()
    words.pop(choice.word, None)
    if value != choice.default:
        words[choice.word] = choice.write(value)
    session.write_link()


def widget(kind: Callable[..., Any], label: str, choice: Choice[T], **options: Any) -> T:
    """A widget of Streamlit that shows and sets a choice; returns what is chosen."""
    key = choice.word.replace(".", "_")
    chosen = get(choice)
    if "options" in options and chosen not in options["options"]:
        chosen = choice.default  # a choice of another dataset
    st.session_state[key] = chosen
    kind(label, key=key, on_change=lambda: put(choice, st.session_state[key]), **options)
    return st.session_state[key]

"""Settings of models and of the ranker: what there is, what each means, how a text sets it."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import product
from math import isfinite
from typing import Any, Literal, get_args, get_origin, get_type_hints

from core.errors import SegueError
from core.ranking.ranker import RANKER, Ranker
from core.retrieval import MODELS

_ATTRIBUTE = re.compile(r"^(\w+(?:, \w+)*) : .*\n((?:    .*\n?)*)", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """One field of a model's `Params`.

    Attributes
    ----------
    name : str
    kind : type
        bool, int, float or str.
    default : object
    choices : tuple
        What it may be, where these are few; empty for any value.
    meaning : str
        A sentence or two from the documentation of `Params`; empty where its name says all.
    """

    name: str
    kind: type
    default: Any
    choices: tuple[Any, ...]
    meaning: str

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Smallest and largest value that makes sense, where its meaning or kind says."""
        if self.kind is int:
            least = re.search(r"(\d+) or more", self.meaning)
            speaks_of_none = re.search(r"\b0\b", self.meaning)
            return (int(least[1]) if least else 0 if speaks_of_none else 1), None
        if self.kind is float and (ends := re.search(r"\b(\d+) to (\d+)\b", self.meaning)):
            return float(ends[1]), float(ends[2])
        return None, None

    def read(self, text: str) -> Any:
        """The value that a text means.

        Raises
        ------
        SegueError
            If it means none, or one out of bounds.
        """
        for choice in self.choices:
            if text.lower() == str(choice).lower():
                return choice
        if not self.choices:
            if self.kind is str:
                return text
            with suppress(ValueError, OverflowError):
                if isfinite(value := self.kind(text)):
                    self._require_in_bounds(value)
                    return value
        number = "an integer" if self.kind is int else "a number"
        expected = " or ".join(map(str, self.choices)) or number
        raise SegueError(f"{text!r} is no value of {self.name}: give {expected}.")

    def _require_in_bounds(self, value: float) -> None:
        low, high = self.bounds
        if low is not None and high is not None and not low <= value <= high:
            raise SegueError(f"{self.name} is from {low:g} to {high:g}, not {value:g}.")
        if low is not None and value < low:
            raise SegueError(f"{self.name} is {low:g} or more, not {value:g}.")


def settings_of(name: str) -> list[Setting]:
    """Settings of a model or the ranker, in the order of its `Params`.

    Raises
    ------
    SegueError
        If there is no such model.
    """
    params = params_type(name)
    kinds, meanings = get_type_hints(params), _meanings(name)
    found = []
    for field in fields(params):
        kind = kinds[field.name]
        choices: tuple[Any, ...] = (False, True) if kind is bool else ()
        if get_origin(kind) is Literal:
            choices = get_args(kind)
            kind = type(choices[0])
        meaning = meanings.get(field.name, "")
        found.append(Setting(field.name, kind, field.default, choices, meaning))
    return found


def params_type(name: str) -> Any:
    """The dataclass of a model's or the ranker's settings; a SegueError where there is no such."""
    if name == RANKER:
        return Ranker.Params
    if name not in MODELS:
        raise SegueError(f"There is no model {name!r}; there are {', '.join([*MODELS, RANKER])}.")
    return MODELS[name].Params


def require_settings(name: str, wanted: Iterable[str]) -> None:
    """Raise a SegueError unless a model has settings of these names."""
    known = [field.name for field in fields(params_type(name))]
    for field in wanted:
        if field not in known:
            there = ", ".join(known) or "none"
            raise SegueError(f"{name} has no setting {field!r}; there are: {there}.")


def parse_values(name: str, texts: Sequence[str]) -> dict[str, list[Any]]:
    """Values to try of each setting, from texts such as "window=20,50".

    Parameters
    ----------
    name : str
        Of a model in the registry, or the ranker.
    texts : sequence of str
        A setting and its values, read as the type of the field of the model's `Params`.

    Raises
    ------
    SegueError
        If there is no such model or setting, a setting comes twice, or a value is of another
        type.
    """
    known = {setting.name: setting for setting in settings_of(name)}
    values: dict[str, list[Any]] = {}
    for text in texts:
        field, sign, listed = text.partition("=")
        if not sign or field in values:
            raise SegueError(f"{text!r} sets nothing: write each setting once, as window=20,50.")
        require_settings(name, [field])
        values[field] = [known[field].read(value.strip()) for value in listed.split(",")]
    return values


def parse_settings(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Settings by model, from texts such as "track2vec.window=20".

    Raises
    ------
    SegueError
        As `parse_values`; or if a text names no model or more than one value.
    """
    settings: dict[str, dict[str, Any]] = {}
    for model, values in _by_model(texts).items():
        for field, given in values.items():
            if len(given) > 1:
                raise SegueError(f"{model}.{field} is one value here; a grid takes several.")
        settings[model] = {field: given[0] for field, given in values.items()}
    return settings


def parse_grids(texts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Every combination of settings to try by model, from texts such as "als.factors=32,64".

    Raises
    ------
    SegueError
        As `parse_values`; or if a text names no model.
    """
    return {model: combinations(values) for model, values in _by_model(texts).items()}


def _by_model(texts: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    by_model: dict[str, list[str]] = {}
    for text in texts:
        model, dot, rest = text.partition(".")
        if not dot or "=" in model:
            raise SegueError(f"{text!r} sets nothing: write it as track2vec.window=20.")
        by_model.setdefault(model, []).append(rest)
    return {model: parse_values(model, rests) for model, rests in by_model.items()}


def as_texts(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What `parse_settings` reads as these settings."""
    return [
        f"{model}.{field}={value}"
        for model, fields_set in settings.items()
        for field, value in fields_set.items()
    ]


def combinations(settings: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last setting varying fastest."""
    return [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]


def _meanings(name: str) -> dict[str, str]:
    """What the documentation of a model's settings, and of those it inherits, says of each."""
    model = Ranker if name == RANKER else MODELS[name]
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if documented := vars(base).get("Params"):
            for names, text in _ATTRIBUTE.findall(inspect.getdoc(documented) or ""):
                meaning = " ".join(text.split())
                found |= dict.fromkeys(names.split(", "), meaning)
    return found

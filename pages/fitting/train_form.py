"""The form that trains models: which ones, by which settings."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import jobs
from core.errors import SegueError
from core.ranking.ranker import RANKER
from core.recommender import label_of
from core.retrieval import MODELS, PRESETS
from core.training.settings import Setting, as_texts, parse_settings, settings_of
from core.training.train import preset_params, why_not
from pages.common import session, view
from pages.common.jobs import running, start
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import plain

EVERY = (*MODELS, RANKER)
Settings = Mapping[str, Mapping[str, Any]]


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(EVERY):
        raise ValueError(text)
    return names


def _settings(text: str) -> Settings:
    try:
        return parse_settings(text.split(","))
    except SegueError as problem:
        raise ValueError(text) from problem


def _is_yes(text: str) -> bool:
    return view.one_of(("n", "y"), str)(text) == "y"


MODELS_CHOSEN: Choice[tuple[str, ...]] = Choice("training.models", (), _names, ",".join)
PRESET = Choice("training.preset", "fast", view.one_of(list(PRESETS), str))
SETTINGS: Choice[Settings] = Choice(
    "training.settings", {}, _settings, lambda settings: ",".join(as_texts(settings))
)
SHOWN = Choice("training.shown", "", view.one_of(EVERY, str))
COMPARE = Choice("training.compare", True, _is_yes, lambda yes: "ny"[yes])
PRESET_LABELS = {"fast": "Fast", "full": "Full"}
COLUMNS = 4


def show_form(version: Version) -> None:
    """The form, or on a public host how to train on one's own machine."""
    if jobs.public():
        st.code(shlex.join(["python", "-m", "core", *_command(version, EVERY[:2], {}, False)]))
        return
    able = [name for name in EVERY if not why_not(name)]
    trained = [card.model for card in session.cards(version)]
    if not trained:
        st.info(
            f"No model is trained on “{plain(version.name)}” yet. Fast settings take from seconds "
            "to some minutes.",
            icon=":material/model_training:",
        )
    chosen = _choose_models(able)
    preset = view.widget(
        st.segmented_control,
        "Settings to start from",
        PRESET,
        options=list(PRESETS),
        format_func=PRESET_LABELS.__getitem__,
        required=True,
        help="Full settings were chosen on validation playlists; fast ones take a fraction of the "
        "time and find a little less.",
    )
    settings = _set(chosen, preset)
    replaced = [name for name in chosen if name in trained]
    compare = bool(replaced) and _ask_to_compare(replaced)
    _submit(version, chosen, settings, compare)
    for name in EVERY:
        if problem := why_not(name):
            st.caption(plain(f"{label_of(name)} is left out. {problem}"))


def _choose_models(able: Sequence[str]) -> list[str]:
    key = "training_models"
    st.session_state[key] = [name for name in able if name in view.get(MODELS_CHOSEN)]

    def choose() -> None:
        names = st.session_state[key]
        view.put(MODELS_CHOSEN, tuple(name for name in able if name in names))

    st.pills(
        "Models",
        able,
        key=key,
        selection_mode="multi",
        format_func=label_of,
        on_change=choose,
    )
    chosen: list[str] = st.session_state[key]
    everything = len(chosen) == len(able)
    st.button(
        "Choose none" if everything else "Choose all",
        key="training_all",
        type="tertiary",
        icon=":material/remove_done:" if everything else ":material/done_all:",
        on_click=view.put,
        args=(MODELS_CHOSEN, () if everything else tuple(able)),
    )
    return chosen


# --- settings ---


def _set(chosen: Sequence[str], preset: str) -> Settings:
    """Fields of one of the chosen models; returns what differs from the preset, of all."""
    adjustable = [name for name in chosen if settings_of(name)]
    asked = view.get(SETTINGS)
    settings = {name: _changed(name, preset, asked.get(name, {})) for name in chosen}
    if not adjustable:
        return {}
    with st.container(border=True, key="training_settings"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            shown = view.get(SHOWN)
            st.session_state["training_shown"] = shown if shown in adjustable else adjustable[0]
            st.selectbox(
                "Settings of",
                adjustable,
                key="training_shown",
                format_func=lambda name: label_of(name) + (" (changed)" * bool(settings[name])),
                on_change=lambda: view.put(SHOWN, st.session_state["training_shown"]),
                width=320,
            )
            shown = st.session_state["training_shown"]
            if settings[shown]:
                st.button(
                    "Back to the preset",
                    icon=":material/undo:",
                    on_click=_forget,
                    args=(shown,),
                )
        _fields(shown, preset, settings[shown])
    return {name: changed for name, changed in settings.items() if changed}


def _changed(name: str, preset: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for and is not the preset's own."""
    usual = preset_params(name, preset)
    return {field: value for field, value in asked.items() if value != getattr(usual, field)}


def _fields(name: str, preset: str, changed: Mapping[str, Any]) -> None:
    usual = preset_params(name, preset)
    settings = settings_of(name)
    for start_at in range(0, len(settings), COLUMNS):
        row = settings[start_at : start_at + COLUMNS]
        columns = st.columns(COLUMNS, vertical_alignment="bottom")
        for setting, column in zip(row, columns, strict=False):
            preset_value = getattr(usual, setting.name)
            with column:
                _field(name, setting, changed.get(setting.name, preset_value), preset_value)


def _field(name: str, setting: Setting, value: Any, preset_value: Any) -> None:
    key = f"training_{name}_{setting.name}"
    st.session_state[key] = value

    def turn() -> None:
        asked = {model: dict(fields) for model, fields in view.get(SETTINGS).items()}
        given = st.session_state[key]
        asked.setdefault(name, {})[setting.name] = preset_value if given is None else given
        view.put(SETTINGS, asked)

    label = setting.name.replace("_", " ").capitalize()
    told = f"{setting.meaning} " if setting.meaning else ""
    common: dict[str, Any] = {
        "key": key,
        "on_change": turn,
        "help": f"{plain(told)}By the preset {plain(preset_value)}.",
    }
    low, high = setting.bounds
    if setting.kind is bool:
        st.toggle(label, **common)
    elif setting.choices:
        st.selectbox(label, setting.choices, **common)
    elif setting.kind is int:
        st.number_input(label, min_value=None if low is None else min(int(low), value), **common)
    elif setting.kind is float:
        st.number_input(
            label,
            min_value=None if low is None else min(low, value),
            max_value=None if high is None else max(high, value),
            format="%g",
            **common,
        )
    else:
        st.text_input(label, **common)


def _forget(name: str) -> None:
    view.put(SETTINGS, {model: own for model, own in view.get(SETTINGS).items() if model != name})


# --- start ---


def _ask_to_compare(replaced: Sequence[str]) -> bool:
    return view.widget(
        st.toggle,
        "Compare before anything is replaced",
        COMPARE,
        help="New and present settings are measured on the same validation playlists, which takes "
        "about two more fits. You then keep or discard each. Already in use: "
        f"{plain(', '.join(map(label_of, replaced)))}.",
    )


def _submit(version: Version, chosen: Sequence[str], settings: Settings, compare: bool) -> None:
    if compare and RANKER in chosen and len(chosen) > 1:
        st.warning(
            "The ranker learns from the models in use, so it is compared alone: train and keep "
            "the others first.",
            icon=":material/call_split:",
        )
        return
    busy = running()
    command = _command(version, chosen, settings, compare)
    st.button(
        "Train and compare" if compare else "Train",
        key="training_start",
        type="primary",
        icon=":material/model_training:",
        disabled=not chosen or busy is not None,
        on_click=start,
        args=(_job_label(version, chosen, compare), command),
    )
    if busy:
        st.caption(f"One thing at a time: “{plain(busy.label)}” is running, see above.")
    elif not chosen:
        st.caption("Choose a model first.")
    else:
        st.caption("The same on the command line:")
        st.code(shlex.join(["python", "-m", "core", *command]), language="bash", wrap_lines=True)


def _job_label(version: Version, chosen: Sequence[str], compare: bool) -> str:
    what = ", ".join(map(label_of, chosen)) if len(chosen) <= 2 else f"{len(chosen)} models"
    return f"{'Train and compare' if compare else 'Train'} {what} on “{version.name}”"


def _command(
    version: Version, chosen: Sequence[str], settings: Settings, compare: bool
) -> list[str]:
    sets = [part for text in as_texts(settings) for part in ("--set", text)]
    return [
        "train",
        "--dataset",
        version.name,
        "--models",
        ",".join(chosen),
        "--preset",
        view.get(PRESET),
        *sets,
        *(["--trial"] if compare else []),
    ]

"""The tracks of a dataset as a map: look around, find, select, compare, see true neighbours."""

from typing import cast

import streamlit as st

from core.explore.figures import chart_config
from core.explore.figures.map_marks import is_placed
from core.explore.figures.track_map import Drag
from core.explore.projection import METHODS, advice
from core.jobs import public
from core.training.maps import MapCard
from core.workspace import REPOSITORY
from pages.common import answers, jobs, session, view
from pages.common.screens import PHONE_PX, is_dark
from pages.common.session import Version
from pages.common.view import Choice, one_of
from pages.common.widgets import counted, plain, search_box, sentences
from pages.maps import side
from pages.maps.chart import (
    COLOURS,
    HEIGHT,
    HEIGHT_BESIDE,
    MAPPED,
    Look,
    MapName,
    Marks,
    Outline,
    colour_label,
    colours,
    figure,
    opened,
)
from pages.spotify import link_in

METHOD_LABELS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "Principal components"}
POINTS, USUAL = (1_000, 3_000, 10_000, 20_000), 10_000
# A click selects nothing while the mouse draws: Streamlit sets plotly's click mode so.
MOUSE: dict[Drag, str] = {"pan": "Click", "lasso": "Lasso", "select": "Box"}
ALONE = ""
PHONE_HEIGHT = 420
ZOOM = REPOSITORY / "data" / "map_zoom.html"
WIDTH, WIDE = 148, 240  # of a select: two stand side by side on a phone, or one with a long name

PICK_BY: Choice[Drag] = Choice(
    "map.mouse", "pan", one_of(tuple(MOUSE), lambda text: cast(Drag, text))
)
TRAJECTORY = Choice(
    "map.trajectory", False, one_of((True,), lambda text: text == "yes"), lambda _: "yes"
)
COMPARE = Choice("map.compare", ALONE, one_of([f"{a}-{b}" for a in MAPPED for b in METHODS], str))


def page() -> None:
    st.title("Map", anchor=False)
    st.html(ZOOM, unsafe_allow_javascript=True)
    with sentences():
        jobs.job_panel()
        version = session.version()
        models = [card.model for card in session.cards(version) if card.model in MAPPED]
        if models:
            _explore(models)
        else:
            _no_vectors()


def _no_vectors() -> None:
    name = session.request_now().dataset
    st.info(
        f"“{plain(name)}” has no map yet: a map lays out the vectors of a model, and no model with "
        "vectors is trained on it. Train track2vec, and its map comes with it.",
        icon=":material/scatter_plot:",
    )
    st.page_link("training.py", label="Train a model", icon=":material/model_training:")
    st.code(f"python -m core train --dataset {name} --models track2vec", language="bash")


@st.fragment
def _explore(models: list[str]) -> None:
    with sentences():
        version = session.version()
        cards = {MapName(card.model, card.method): card for card in session.maps(version)}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            name = _which(models, list(cards))
            if name in cards:
                colour = _colour(version, name)
                points = _points(cards[name])
                beside = _beside(name, list(cards))
        if name not in cards:
            _not_laid_out(name)
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            mouse, joined = _mouse(), _trajectory()
        look = Look(colour, points, mouse, is_dark(), beside is not None)
        marks = Marks(session.seeds().ids, answers.continued(), side.focus(), joined)
        _charts(version, name, beside, look, marks, cards)


# --- what is set ---


def _which(models: list[str], stored: list[MapName]) -> MapName:
    """The map that is asked for, laid out or not."""
    first = next((name.model for name in stored if name.model in models), models[0])
    asked: Choice[str] = Choice("map.model", first, one_of(MAPPED, str))
    _settle(asked, models, "The model {} is not trained on this dataset.")
    model = view.widget(
        st.selectbox,
        "Model",
        asked,
        options=models,
        format_func=session.model_label,
        width=WIDTH,
        help="Whose vectors are laid out: every trained model that has some.",
    )
    there = [name.method for name in stored if name.model == model]
    by: Choice[str] = Choice("map.method", (there or METHODS)[0], one_of(METHODS, str))
    method = view.widget(
        st.selectbox,
        "Laid out by",
        by,
        options=METHODS,
        format_func=lambda method: (
            METHOD_LABELS[method] + ("" if method in there else " (not yet)")
        ),
        width=WIDTH,
    )
    return MapName(model, method)


def _beside(name: MapName, stored: list[MapName]) -> MapName | None:
    """The map to compare with."""
    others = {str(other): other for other in stored if other != name}
    _settle(COMPARE, [ALONE, *others, str(name)], "There is no map {} here to compare with.")
    chosen = view.widget(
        st.selectbox,
        "Compare with",
        COMPARE,
        options=[ALONE, *others],
        format_func=lambda text: _label(others[text]) if text else "nothing",
        width=WIDE,
        disabled=not others,
        help="Another map beside this one; what is drawn around on either is marked on both.",
    )
    return others.get(chosen)


def _colour(version: Version, name: MapName) -> str:
    known = colours(version, name)
    choice: Choice[str] = Choice("map.colour", known[0], one_of(COLOURS, str))
    _settle(choice, known, "There is no {} to colour this map by.")
    return view.widget(
        st.selectbox, "Colour", choice, options=known, format_func=colour_label, width=WIDTH
    )


def _points(card: MapCard) -> int:
    """How many tracks are points: a browser draws and moves some ten thousand with ease."""
    placed = card.placed or POINTS[-1]
    sizes = [size for i, size in enumerate(POINTS) if i == 0 or POINTS[i - 1] < placed]
    return view.widget(
        st.selectbox,
        "As points",
        Choice("map.points", min(USUAL, sizes[-1]), one_of(POINTS, int)),
        options=sizes,
        format_func=lambda size: f"{size:,} tracks" if size < placed else f"all {placed:,} tracks",
        width=WIDTH,
        help="The most popular tracks are points; the long tail is drawn as density below them, "
        "and is selected with them.",
    )


def _mouse() -> Drag:
    return view.widget(
        st.segmented_control,
        "Pick by",
        PICK_BY,
        options=tuple(MOUSE),
        format_func=MOUSE.__getitem__,
        required=True,
        label_visibility="collapsed",
    )


def _trajectory() -> bool:
    """Whether the playlist is a line."""
    return view.widget(
        st.toggle,
        "Playlist as a path",
        TRAJECTORY,
        disabled=session.is_blank(),
        help="Numbers your playlist and joins it in its order; then, dotted, what continues it.",
    )


def _settle(choice: Choice[str], options: list[str], sentence: str) -> None:
    """Say that a link asks for what this dataset does not have, and drop it."""
    asked = view.get(choice)
    if asked not in options:
        session.say(sentence.format(f"“{asked}”"))
        view.put(choice, choice.default)


def _label(name: MapName) -> str:
    return f"{session.model_label(name.model)}, {METHOD_LABELS[name.method]}"


# --- the charts ---


def _charts(
    version: Version,
    name: MapName,
    beside: MapName | None,
    look: Look,
    marks: Marks,
    cards: dict[MapName, MapCard],
) -> None:
    shown = [name] if beside is None else [name, beside]
    chart, *more = st.columns([7, 3] if beside is None else 2, gap="medium")
    for place, each in zip((chart, *more), shown, strict=False):
        with place:
            if beside is not None:
                st.markdown(f"**{_label(each)}**")
            _about(version, cards[each])
            _chart(version, each, look, marks, "map" if each == name else "map_beside")
    with more[0] if beside is None else st.container():
        search_box(
            "Find a track",
            "map_search",
            side.focus_on,
            placeholder="Track, artist or Spotify link",
            on_link=lambda link: link_in.track(link, "map_search"),
            icon=":material/my_location:",
        )
        side.side(shown)


def _about(version: Version, card: MapCard) -> None:
    """How far to trust a map, and whether it is of the model as it is."""
    label = session.model_label(card.model)
    kept = ""
    if card.kept is not None:
        kept = f", {card.kept:.0%} of the {card.k} drawn nearest are its {card.k} nearest"
    st.caption(
        f"**Near here is not always near in {label}**: trustworthiness "
        f"{card.trustworthiness:.2f}{kept}.",
        help="Trustworthiness is 1 where all that is near on the map is near in the model, and 0.5 "
        f"by chance; here {advice(card.trustworthiness)} {_placing(card)}",
    )
    trained = next(c.trained for c in session.cards(version) if c.model == card.model)
    if card.made < trained:
        st.caption(f":material/update: {label} was trained again since: lay this map out anew.")
        _lay_out(MapName(card.model, card.method))


def _placing(card: MapCard) -> str:
    """Which tracks are on a map, and how they came there."""
    if card.placed is None or card.laid_out is None:
        return ""
    placed = f"The {counted(card.placed, 'most popular track')} are on it"
    if card.laid_out == card.placed:
        return f"{placed}."
    return (
        f"{placed}: {METHOD_LABELS[card.method]} laid out {card.laid_out:,}, and each of "
        "the others stands among those of them that it is nearest to in the model."
    )


def _chart(version: Version, name: MapName, look: Look, marks: Marks, key: str) -> None:
    drawn = figure(version, name, look, marks, side.area())
    config = chart_config(f"map-{version.name}-{name}", zoom_by_wheel=True)
    config["modeBarButtonsToRemove"] += ["pan2d", "lasso2d", "select2d"]  # see `MOUSE`
    _fit_to_phone(key, drawn.layout.meta["narrow"], len(drawn.layout.annotations))
    with st.container(
        key=f"{key}_frame", height=HEIGHT_BESIDE if look.beside else HEIGHT, border=False
    ):
        st.plotly_chart(
            drawn,
            key=(chart := f"{key}_{side.cleared()}"),
            height="stretch",
            on_select=lambda: _select(chart, name),
            config=config,
            alt=f"Map of tracks by {_label(name)}, coloured by {colour_label(look.colour).lower()};"
            " the list beside it names what is picked.",
        )

    lost = sum(not is_placed(opened(version, name).coordinates, track) for track in marks.seeds)
    if lost:
        st.caption(
            f"{counted(lost, 'track')} of your playlist not on this map: too few playlists hold "
            f"{'it' if lost == 1 else 'them'}."
        )


def _fit_to_phone(key: str, narrow: int, texts: int) -> None:
    """Less height, and only the texts that a phone has room for."""
    wide = ",".join(
        f".st-key-{key}_frame .annotation[data-index='{index}']" for index in range(narrow, texts)
    )
    st.html(
        f"""<style>@media (max-width: {PHONE_PX}px) {{
            [data-testid="stLayoutWrapper"]:has(> .st-key-{key}_frame) {{
                height: {PHONE_HEIGHT}px; flex-basis: {PHONE_HEIGHT}px;
            }}
            {wide or ".none"} {{ display: none; }}
        }}</style>"""
    )


def _select(key: str, name: MapName) -> None:
    event = st.session_state[key]["selection"]
    shapes = [*event["lasso"], *event["box"]]
    if shapes:
        side.select(Outline.drawn(name, shapes[-1]))
    elif event["points"]:
        side.focus_on(int(event["points"][-1]["customdata"]))


# --- maps that are not there ---


def _not_laid_out(name: MapName) -> None:
    st.info(
        f"{METHOD_LABELS[name.method]} has not laid out {session.model_label(name.model)} on this "
        "dataset yet. It takes some seconds to a minute.",
        icon=":material/scatter_plot:",
    )
    _lay_out(name)


def _lay_out(name: MapName) -> None:
    """A way to have a map laid out."""
    dataset = session.version().name
    argv = ["map", "--dataset", dataset, "--model", name.model, "--method", name.method]
    if public():
        st.caption(
            "This host is open to everyone, so no maps are laid out here; on your own machine:"
        )
    else:
        st.button(
            "Lay out this map",
            key=f"lay_out_{name}",
            type="primary",
            icon=":material/draw:",
            on_click=_start,
            args=(f"Lay out {_label(name)}", argv),
            disabled=jobs.running() is not None,
        )
    st.code(f"python -m core {' '.join(argv)}", language="bash")


def _start(label: str, argv: list[str]) -> None:
    jobs.start(label, argv)
    st.rerun()  # the whole page: the panel is outside the fragment


page()

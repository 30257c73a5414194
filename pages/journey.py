"""From one track or artist to another, by way of near neighbours."""

import streamlit as st

from core.explore.journey import FEWEST, MOST, NEIGHBOURS, Wishes
from core.retrieval import MODELS
from core.training.maps import embeds
from pages.common import session, view
from pages.common.session import Version
from pages.common.widgets import no_model, plain, sentences
from pages.journeys import ends, route, stops

SMOOTHNESS = (0.0, 0.25, 0.5, 0.75, 1.0)
AS_FEW = 0

MODEL = view.Choice("journey.model", "", str)
STOPS = view.Choice("journey.stops", AS_FEW, view.one_of((AS_FEW, *range(FEWEST, MOST + 1)), int))
SMOOTH = view.Choice("journey.smooth", 0.5, view.one_of(SMOOTHNESS, float))
PER_ARTIST = view.Choice(
    "journey.artists",
    True,
    lambda text: view.one_of(("one", "any"), str)(text) == "one",
    lambda one: "one" if one else "any",
)
JOINED = view.Choice("journey.neighbours", 16, view.one_of(NEIGHBOURS, int))


def page() -> None:
    st.title("Journey", anchor=False)
    with sentences():
        version = session.version()
        if not session.cards(version):
            no_model()
            return
        models = _models(version)
        if not models:
            _no_vectors()
            return
        model = _model(models)
        intro = st.empty()
        start, end = ends.pickers(version, model)
        wishes = _dials(models)
        graph = route.graph(version, model)
        intro.caption(
            f"From one track to the next through what {plain(session.model_label(model))} holds "
            f"for alike: each of the {len(graph.tracks):,} most popular tracks is joined to its "
            f"{wishes.neighbours} nearest."
        )
        stops.show(version, model, start, end, wishes)


def _models(version: Version) -> list[str]:
    """Trained models with vectors, track2vec first: it is made for this."""
    found = [card.model for card in session.cards(version)]
    return sorted(
        (name for name in found if name in MODELS and embeds(name)),
        key=lambda name: name != "track2vec",
    )


def _no_vectors() -> None:
    st.info(
        "A journey needs a model that places tracks near each other, such as track2vec, and none "
        f"is trained on “{plain(session.request_now().dataset)}”.",
        icon=":material/model_training:",
    )
    st.page_link("training.py", label="Train one on the Training page")


def _model(models: list[str]) -> str:
    asked = view.get(MODEL)
    if asked and asked not in models:
        view.put(MODEL, "")
        session.say(
            f"No model “{asked[:80]}” with vectors is trained here; "
            f"{session.model_label(models[0])} leads the journey."
        )
    return view.get(MODEL) or models[0]


def _dials(models: list[str]) -> Wishes:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        with st.container(width=190):
            view.widget(
                st.selectbox,
                "Neighbours in",
                MODEL,
                options=["", *models[1:]],
                format_func=lambda name: session.model_label(name or models[0]),
                help="The model whose vectors say which tracks are alike.",
            )
        with st.container(width=220):
            wanted = view.widget(
                st.select_slider,
                "Stops",
                STOPS,
                options=[AS_FEW, *range(FEWEST, MOST + 1)],
                format_func=lambda count: str(count) if count else "as it comes",
                help="Tracks of the journey, both ends included.",
            )
        with st.container(width=220):
            smooth = view.widget(
                st.select_slider,
                "Even popularity",
                SMOOTH,
                options=SMOOTHNESS,
                format_func=lambda weight: f"{weight:.0%}",
                help="How much to avoid jumps between hits and deep cuts. At 100 %, a step to a "
                "track ten times as popular costs as much as one to an unrelated track.",
            )
        joined = view.widget(
            st.segmented_control,
            "Neighbours a track",
            JOINED,
            options=NEIGHBOURS,
            required=True,
            help="More neighbours allow wider steps, and so shorter journeys.",
        )
        one = view.widget(st.toggle, "One track per artist", PER_ARTIST)
    return Wishes(
        stops=wanted or None,
        smoothness=smooth,
        one_per_artist=one,
        neighbours=joined,
        skipped=route.skipped(),
    )


page()

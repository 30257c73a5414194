"""Models compared: side by side on one playlist, on what was hidden from them, and in all."""

import streamlit as st

from pages.common import view
from pages.common.view import Choice
from pages.common.widgets import sentences
from pages.comparisons import hide_and_predict, leaderboard, side_by_side

PARTS = {
    "Side by side": side_by_side.show,
    "Hide and predict": hide_and_predict.show,
    "Leaderboard": leaderboard.show,
}
PART = Choice("comparison.part", "Side by side", view.one_of(list(PARTS), str))


def page() -> None:
    st.title("Comparison", anchor=False)
    part = view.widget(
        st.segmented_control,
        "What to compare",
        PART,
        options=list(PARTS),
        label_visibility="collapsed",
        required=True,
    )
    with sentences():
        PARTS[part]()


page()

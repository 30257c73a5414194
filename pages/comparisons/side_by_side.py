"""Side by side: two to four models on one playlist, what they share and what only one finds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
import streamlit as st

from core.explore.agreement import PERSISTENCE, Merged, jaccard, matrix, merge, rank_biased_overlap
from core.explore.figures import chart_config, heat_colours, matrix_figure, places_figure
from pages.common import answers, session, view
from pages.common.request import DEFAULT
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import add_tracks, counted, no_model, plain

FEWEST, MOST = 2, 4
BESIDE = ("als", "track2vec", "playlist_knn", "item_knn")
"""Models that stand beside the default answer where none are chosen, the first two there are."""

MEASURES = {"overlap": "Rank-biased overlap", "jaccard": "Jaccard"}
MEANING = {
    "overlap": "How alike two lists are, early places counting more: a reader goes on to the next "
    f"place nine times in ten (p = {PERSISTENCE:g}), so that the first ten carry 86 % of the "
    "weight. 1 is the same list, 0 nothing in common.",
    "jaccard": "Tracks in both lists over tracks in either, whatever their places. 1 is the same "
    "tracks, 0 none in common.",
}
ALONE_ROWS = 8  # in sight; more scroll
ROW_PX = 35

MODELS: Choice[tuple[str, ...]] = Choice(
    "comparison.models", (), lambda text: tuple(filter(None, text.split(","))), ",".join
)
MEASURE = Choice("comparison.agreement", "overlap", view.one_of(list(MEASURES), str))


@dataclass(frozen=True)
class Lists:
    """What some models play next, and all of it as one list.

    Attributes
    ----------
    labels : list of str
        Of the models.
    rankings : list of int32 arrays
    merged : Merged
    titles, artists : list of str
        Of the merged tracks.
    notes : list of str
        Sentences on how some model made its list.
    """

    labels: list[str]
    rankings: list[np.ndarray]
    merged: Merged
    titles: list[str]
    artists: list[str]
    notes: list[str]

    @property
    def names(self) -> list[str]:
        """Title and artist of the merged tracks."""
        pairs = zip(self.titles, self.artists, strict=True)
        return [f"{title} – {artist}" if artist else title for title, artist in pairs]


def show() -> None:
    """The part of the page."""
    version = session.version()
    if not session.cards(version):
        no_model()
        return
    chosen = _choose_models(version)
    if session.is_blank():
        _starts(version)
        return
    _playlist(version)
    if len(chosen) < FEWEST:
        st.info("Choose another model to compare this one with.", icon=":material/compare_arrows:")
        return
    lists = _lists(version, chosen)
    _summary(lists)
    places, agreement = st.columns([7, 4], gap="medium")
    with places:
        st.subheader("Where each puts them", anchor=False)
        _places(version, lists)
    with agreement:
        st.subheader("How far they agree", anchor=False)
        _agreement(version, lists)
    st.subheader("What only one finds", anchor=False)
    _alone(lists)
    st.subheader("All lists as one", anchor=False)
    _merged(lists)


# --- the models ---


def _choose_models(version: Version) -> list[str]:
    """The models of the link; the default answer and two others where it names none."""
    there = session.answers(version)
    asked = view.get(MODELS)
    known = [name for name in dict.fromkeys(asked) if name in there][:MOST]
    if known != list(asked):
        lost = ", ".join(f"“{name[:40]}”" for name in asked if name not in there)
        session.say(
            f"No model {lost} is trained on “{version.name}”: left out of the comparison."
            if lost
            else f"At most {MOST} models are compared, each once."
        )
        view.put(MODELS, tuple(known))
    beside = dict.fromkeys(name for name in (*BESIDE, *there) if name in there[1:])
    st.session_state.comparison_models = known or [there[0], *beside][:3]
    return st.multiselect(
        f"Models to compare, {FEWEST} to {MOST}",
        there,
        key="comparison_models",
        format_func=session.model_label,
        max_selections=MOST,
        on_change=lambda: view.put(MODELS, tuple(st.session_state.comparison_models)),
    )


# --- the playlist ---


def _starts(version: Version) -> None:
    """Where nothing is asked yet: one click to a playlist."""
    with st.container(border=True):
        st.markdown("**Nothing is asked yet.** Compare the models on an example…")
        found = session.starts(version)
        with st.container(horizontal=True, gap="xsmall"):
            for place, example in enumerate(found):
                st.button(
                    plain(example.title),
                    key=f"comparison_start_{place}",
                    help=plain(", ".join(session.names(version, example.tracks))),
                    on_click=_start,
                    args=(example.title, example.tracks),
                )
        st.page_link(
            "continuation.py",
            label="… or on a playlist of your own",
            icon=":material/queue_music:",
        )


def _start(title: str, tracks: Sequence[int]) -> None:
    session.change(title=title)
    add_tracks(tracks)


def _playlist(version: Version) -> None:
    """Say what all models were asked."""
    seeds, title = session.seeds(), session.request_now().title.strip()
    said = [f"the title “{title}”"] * bool(title)
    if seeds.ids:
        first = session.names(version, seeds.ids[:3])
        more = f" and {len(seeds.ids) - 3} more" if len(seeds.ids) > 3 else ""
        said.append(f"{counted(len(seeds.ids), 'track')}: {', '.join(first)}{more}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            plain(f"All continue {' and '.join(said)}."),
            width="content",
        )
        st.page_link("continuation.py", label="Change it", icon=":material/edit:")


def _lists(version: Version, models: Sequence[str]) -> Lists:
    asked = replace(session.request_now(), shares=())
    default = session.answers(version)[0]
    given = [
        answers.answer(replace(asked, model=DEFAULT if name == default else name)).found
        for name in models
    ]
    # Bars may leave one model fewer tracks than another; depth by depth they need as many.
    depth = min(len(answer.tracks) for answer in given)
    rankings = [answer.tracks[:depth] for answer in given]
    merged, labels = merge(rankings), [session.model_label(name) for name in models]
    opened = session.dataset(version)
    return Lists(
        labels,
        rankings,
        merged,
        [
            title or uri
            for title, uri in zip(
                opened.values("title", merged.tracks),
                opened.values("uri", merged.tracks),
                strict=True,
            )
        ],
        [artist or "" for artist in opened.values("artist_name", merged.tracks)],
        [
            f"{label}: {' '.join(answer.notes)}"
            for label, answer in zip(labels, given, strict=True)
            if answer.notes
        ],
    )


# --- what they say ---


def _summary(lists: Lists) -> None:
    """The comparison in two sentences."""
    found, n = lists.merged.found_by, len(lists.labels)
    pairs = {
        pair: rank_biased_overlap(lists.rankings[pair[0]], lists.rankings[pair[1]])
        for pair in combinations(range(n), 2)
    }
    everywhere, alone = int((found == n).sum()), int((found == 1).sum())
    first = (
        f"Of {counted(len(found), 'track')} in the first {len(lists.rankings[0])} of each, "
        f"{everywhere} {'is' if everywhere == 1 else 'are'} in {'both' if n == 2 else f'all {n}'} "
        f"and {alone} in one only."
    )
    rest = ""
    if n > 2:
        near, far = max(pairs, key=lambda pair: pairs[pair]), min(pairs, key=lambda p: pairs[p])
        rest = f"Most alike are {_pair(lists, near)}, least {_pair(lists, far)}."
    with st.container(border=True):
        st.markdown(f"**{plain(first)}** {plain(rest)}")
        for note in lists.notes:
            st.caption(plain(note))


def _pair(lists: Lists, pair: tuple[int, int]) -> str:
    return " and ".join(lists.labels[at] for at in pair)


def _places(version: Version, lists: Lists) -> None:
    def draw(phone: bool) -> None:
        st.plotly_chart(
            places_figure(
                lists.merged,
                lists.labels,
                lists.names if phone else lists.titles,
                phone=phone,
                dark=is_dark(),
            ),
            key=f"comparison_places_{phone}",
            config=chart_config(f"places-{version.name}"),
            alt="Places of each track in each model's list; the table below has them.",
        )

    on_both("comparison_places", draw)
    st.caption(
        "A line joins the places of one track: strong where every model has it, dotted where it "
        "passes a model that has it not. Hollow: only this model finds it."
    )


def _agreement(version: Version, lists: Lists) -> None:
    measure = view.widget(
        st.segmented_control,
        "Measure of agreement",
        MEASURE,
        options=list(MEASURES),
        format_func=MEASURES.__getitem__,
        label_visibility="collapsed",
        required=True,
    )
    values = matrix(lists.rankings, jaccard if measure == "jaccard" else rank_biased_overlap)
    said = "; ".join(
        f"{_pair(lists, pair)} {values[pair]:.2f}" for pair in combinations(range(len(values)), 2)
    )

    def draw(phone: bool) -> None:
        st.plotly_chart(
            matrix_figure(values, lists.labels, MEASURES[measure], phone=phone, dark=is_dark()),
            key=f"comparison_matrix_{phone}",
            config=chart_config(f"agreement-{version.name}"),
            alt=f"{MEASURES[measure]} of every two models: {said}.",
        )

    on_both("comparison_matrix", draw)
    st.caption(MEANING[measure])


def _alone(lists: Lists) -> None:
    for at, column in enumerate(st.columns(len(lists.labels), gap="medium")):
        rows = lists.merged.only_in(at)
        with column:
            st.markdown(f"**{plain(lists.labels[at])}**: {counted(len(rows), 'track')}")
            if not len(rows):
                st.caption("Every track of its list is in another list, too.")
                continue
            st.dataframe(
                {
                    "#": lists.merged.places[rows, at],
                    "Track": [lists.names[row] for row in rows],
                },
                key=f"comparison_alone_{at}",
                hide_index=True,
                height=(min(len(rows), ALONE_ROWS) + 1) * ROW_PX + 2,
                alt=f"What only {lists.labels[at]} finds, with its place there",
                column_config={
                    "#": st.column_config.NumberColumn(width=40),
                },
            )


def _merged(lists: Lists) -> None:
    merged, n = lists.merged, len(lists.labels)
    frame = pd.DataFrame(
        {
            "#": range(1, len(merged.tracks) + 1),
            "Track": lists.titles,
            "Artist": lists.artists,
            **{
                label: pd.array(np.where(places, places, np.nan), dtype="Int64")
                for label, places in zip(lists.labels, merged.places.T, strict=True)
            },
            "Found by": merged.found_by,
        }
    )
    fills = heat_colours(
        np.where(merged.places, merged.places, np.nan), lower_is_better=True, dark=is_dark()
    )
    styles = pd.DataFrame("", index=frame.index, columns=frame.columns)
    styles[lists.labels] = [[f"background-color: {f}" if f else "" for f in row] for row in fills]
    st.dataframe(
        frame.style.apply(lambda _: styles, axis=None),
        key="comparison_merged",
        hide_index=True,
        placeholder="–",
        height=(min(len(frame), 20) + 1) * ROW_PX + 2,
        alt="All tracks in merged order, with their place in each model's list",
        column_config={
            "#": st.column_config.NumberColumn(
                width=40, pinned=True, help="Place in the merged list."
            ),
            "Track": st.column_config.TextColumn(width=200, pinned=True),
            "Artist": st.column_config.TextColumn(width=150),
            **{label: st.column_config.NumberColumn(format="%d") for label in lists.labels},
            "Found by": st.column_config.NumberColumn(format=f"%d of {n}", width=80),
        },
    )
    st.caption(
        "Merged by reciprocal rank fusion: a track's worth is the sum of 1 / (60 + its place) over "
        "the lists that have it. The fuller the colour, the earlier its place in that list."
    )

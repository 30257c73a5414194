"""What a chart must know of the screen: dark or light, wide or a phone's."""

from collections.abc import Callable

import streamlit as st

PHONE_PX = 640


def is_dark() -> bool:
    """Whether the page is."""
    return st.context.theme.type == "dark"


def on_both(key: str, draw: Callable[[bool], None]) -> None:
    """Draw for a wide screen and for a phone; the browser, which alone knows its width, shows one.

    Parameters
    ----------
    key : str
        Of the place, distinct on the page.
    draw : callable (phone)
    """
    wide, phone = f"{key}_wide", f"{key}_phone"
    with st.container(gap=None):
        st.html(
            f"""<style>
                @media (max-width: {PHONE_PX}px) {{ .st-key-{wide} {{ display: none; }} }}
                @media (min-width: {PHONE_PX + 1}px) {{ .st-key-{phone} {{ display: none; }} }}
            </style>"""
        )
        for place, narrow in ((wide, False), (phone, True)):
            with st.container(key=place):
                draw(narrow)

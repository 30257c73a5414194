"""The app: `streamlit run app.py` serves pages, HTTP API and Spotify's callback on one port."""

import ctypes
import platform

import streamlit as st
from starlette.middleware import Middleware

from core.serving.beside import api_routes
from pages.spotify.callback import BrowserCookie, callback_routes

M_ARENA_MAX, HEAPS = -8, 2


def share_heaps() -> None:
    """Let all threads allocate from two heaps (https://man7.org/linux/man-pages/man3/mallopt.3.html).

    By default glibc gives each thread a heap of its own, up to eight a core, and each keeps what
    it once needed: with ten visitors that is a quarter of the server's memory.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS)


share_heaps()
base = st.get_option("server.baseUrlPath").strip("/")
prefix = f"/{base}" if base else ""
app = st.App(
    "pages/shell.py",
    routes=[*callback_routes(prefix), *api_routes(prefix)],
    middleware=[Middleware(BrowserCookie)],
)

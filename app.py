"""The app: `streamlit run app.py` serves the pages on one port."""

import streamlit as st

app = st.App("pages/shell.py")

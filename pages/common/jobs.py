"""The one job of the workspace, as pages show it: what is running, how it goes, how it ended."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from core import jobs
from core.errors import SegueError
from core.explore.figures import chart_config, learning_figure
from core.jobs import Job
from core.workspace import Workspace
from pages.common.widgets import plain

RECENT = timedelta(hours=1)
"""How long a new session is still told how the last job ended."""
_EVERY_S = 1.0
_SEEN, _PROBLEM, _WATCHED = "jobs_seen", "jobs_problem", "jobs_watched"


def start(label: str, argv: Sequence[str], files: Mapping[str, bytes] | None = None) -> None:
    """Start a job; for callbacks. Why it cannot be started, the next `job_panel` says."""
    try:
        jobs.start(Workspace(), label, argv, files)
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)


def running() -> Job | None:
    """The running job of the workspace, if there is one."""
    return jobs.current(Workspace())


def news() -> Job | None:
    """The job that ended lately, while the panel still tells of it."""
    job = jobs.last(Workspace())
    return job if job and job.state != "running" and _is_news(job) else None


def job_panel() -> None:
    """Show the running job live, with a way to stop it, or how the last one ended."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    live = running() is not None
    st.fragment(_panel, run_every=_EVERY_S if live else None)()


def start_button(
    label: str, key: str, icon: str, *, primary: bool = True, idle: str | None = None
) -> bool:
    """A button that starts a job, off while another runs, or where `idle` says why it need not."""
    why = "One thing at a time: wait for what is running." if running() else idle
    return st.button(
        label,
        key=key,
        type="primary" if primary else "secondary",
        icon=icon,
        disabled=why is not None,
        help=why,
    )


def note() -> None:
    """Say below a form what is running or has failed: `job_panel` may be out of sight."""
    if job := running():
        st.caption(f":material/hourglass_top: {plain(job.label)}: running, see above.")
    elif (job := news()) and job.state == "failed":
        st.caption(f":material/error: {plain(job.label)}: failed, see above why.")


def badge() -> None:
    """One line on the running job, for the sidebar; nothing where none runs."""
    if running():
        st.fragment(_badge, run_every=_EVERY_S)()


def _panel() -> None:
    job = jobs.last(Workspace())
    if job is None:
        return
    _watch(job)
    if job.state == "running":
        _show_running(job)
    elif _is_news(job):
        _show_end(job)


def _badge() -> None:
    job = jobs.last(Workspace())
    if job is None:
        return
    _watch(job)
    share = "" if job.fraction is None else f" – {job.fraction:.0%}"
    st.caption(f":material/hourglass_top: {plain(job.label)}{share}")


def _watch(job: Job) -> None:
    """Run the whole page once more when a job ends that this session saw running."""
    if job.state == "running":
        st.session_state[_WATCHED] = job.id
    elif st.session_state.get(_WATCHED) == job.id:
        del st.session_state[_WATCHED]
        st.rerun()


def _is_news(job: Job) -> bool:
    ended = datetime.fromisoformat(job.started) + timedelta(seconds=job.seconds)
    return st.session_state.get(_SEEN) != job.id and datetime.now(UTC) - ended < RECENT


def _show_running(job: Job) -> None:
    with st.container(border=True, key="job"):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**{plain(job.label)}**", width="content")
            if not jobs.public():
                st.button(
                    "Cancel",
                    key="job_cancel",
                    icon=":material/stop_circle:",
                    on_click=jobs.cancel,
                    args=(Workspace(), job.id),
                    disabled=job.step == "Stopping",
                    help=job.after_cancel,
                )
        st.progress(job.fraction or 0.0, plain(job.step or "Starting"))
        _curves(job)
        st.caption(
            f"{duration(job.seconds)} so far. You may leave this page or close it: the work goes "
            "on."
        )


def _show_end(job: Job) -> None:
    with st.container(key="job", horizontal=True, vertical_alignment="center", wrap=False):
        took = duration(job.seconds)
        if job.state == "done":
            st.success(f"{plain(job.label)}: done in {took}.", icon=":material/check_circle:")
        elif job.state == "cancelled":
            text = f"{plain(job.label)}: cancelled after {took}. {job.after_cancel}"
            st.info(text, icon=":material/cancel:")
        else:
            text = f"{plain(job.label)}: {plain(job.message)}"
            st.error(text, icon=":material/error:")
        st.button(
            "Close",
            key="job_close",
            type="tertiary",
            icon=":material/close:",
            on_click=_close,
            args=(job.id,),
        )


def _close(job_id: str) -> None:
    st.session_state[_SEEN] = job_id


def _curves(job: Job) -> None:
    """The curves of the step that moved last, one beside the other."""
    curves = [name for name, points in job.figures.items() if len(points) > 1]
    if not curves:
        return
    whose = curves[-1].rpartition(": ")[0]
    shown = [name for name in curves if name.rpartition(": ")[0] == whose][-2:]
    for name, column in zip(sorted(shown), st.columns(2), strict=False):
        points = job.figures[name]
        label = name.rpartition(": ")[2]
        column.plotly_chart(
            learning_figure(points, label, dark=st.context.theme.type == "dark"),
            key=f"job_curve_{name}",
            config=chart_config(label.lower().replace(" ", "-")),
            alt=f"{name} after {len(points)} epochs: {points[-1][1]:.3f} now.",
        )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 0.1:
        return "less than 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

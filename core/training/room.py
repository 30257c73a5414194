"""How many models may be fitted at a time: by cores and memory, as far as they are ours to use."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from core.workspace import read_json

GRIDS = "grids"
"""Folder of a dataset that holds the measured points of grids, model by model."""

_BASE, _PER_ENTRY = 1e9, 300.0
"""Bytes of a process, and what each entry adds: more than the fits took that were measured on up
to 2.6 million (not LightGCN and track2vec)."""
_MARGIN = 1.25
"""A fit may take so many times what the largest before it took."""
_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def affordable_jobs(folder: Path | None = None) -> int:
    """Processes at a time, each of which fits a model or measures some, one thread each.

    As many as cores, or fewer where memory does not suffice. A process may need what the largest
    fit that was measured on the dataset took, and a quarter more, or what a dataset of this size is
    expected to need: whichever is more.

    Parameters
    ----------
    folder : Path, optional
        Of the dataset; without one, or where nothing is there yet, a small one is assumed.
    """
    needed = _BASE
    if folder and (folder / "manifest.json").exists():
        entries = read_json(folder / "manifest.json")["counts"]["entries"]
        needed = max(_BASE + _PER_ENTRY * entries, _MARGIN * largest_fit(folder))
    return max(1, min(cores(), int(free_memory() / needed)))


def largest_fit(folder: Path) -> float:
    """The most memory that a stored point of a dataset took, in bytes; 0 where none is stored."""
    files = (folder / GRIDS).glob("[!.]*/[!.]*.json")
    peaks = [read_json(file).get("point", {}).get("peak_mb", 0.0) for file in files]
    return max(peaks, default=0.0) * 1e6


def cores() -> int:
    """The physical cores, or fewer where this process may not use all: affinity, a cgroup."""
    found = psutil.cpu_count(logical=False) or 1
    if hasattr(os, "sched_getaffinity"):  # macOS knows none
        found = min(found, len(os.sched_getaffinity(0)))
    for group in _groups("cpu"):
        quota = _number(group / "cpu.cfs_quota_us")
        period = _number(group / "cpu.cfs_period_us")
        if quota is None:  # version 2: both in one file
            quota, period = _number(group / "cpu.max"), _number(group / "cpu.max", 1)
        if quota and period and quota > 0:
            found = min(found, int(quota / period))
    return max(1, found)


def free_memory() -> float:
    """Bytes that are free or can be freed, here and in every cgroup that this process is in."""
    found = float(psutil.virtual_memory().available)
    for group in _groups("memory"):
        for limit, used, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most, taken = _number(group / limit), _number(group / used)
            if most is not None and taken is not None:
                found = min(found, most - taken + _stat(group / "memory.stat", cache))
    return max(0.0, found)


def _groups(controller: str) -> Iterator[Path]:
    """The cgroups that limit this process, the innermost first, of either version.

    In a container the innermost that can be seen is its own, whatever the host calls it.
    """
    try:
        lines = _OWN.read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = _GROUPS / controller if names else _GROUPS
        inner = root / path.strip("/")
        yield from (group for group in (inner, *inner.parents) if group.is_relative_to(root))


def _number(file: Path, place: int = 0) -> float | None:
    """A number of a file; None where there is no file, or it says "max"."""
    try:
        return float(file.read_text().split()[place])
    except (OSError, ValueError, IndexError):
        return None


def _stat(file: Path, name: str) -> float:
    """The value of a name in a file of names and values; 0 where it is not there."""
    try:
        pairs = (line.split() for line in file.read_text().splitlines())
        return next((float(value) for key, value in pairs if key == name), 0.0)
    except (OSError, ValueError):
        return 0.0

import json
import os
from types import SimpleNamespace

import psutil
import pytest

from core.ranking.ranker import Ranker
from core.training import crossfit, grid, room
from core.training.room import affordable_jobs, cores, free_memory

GB = 1e9


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that makes a machine: its cores and memory, and the files of its cgroups."""
    monkeypatch.setattr(room, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(room, "_OWN", tmp_path / "own")

    def made(physical=8, available=64 * GB, may_use=8, own="", files=()):
        monkeypatch.setattr(psutil, "cpu_count", lambda logical: physical)
        memory = SimpleNamespace(available=available)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
        usable = set(range(may_use))
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: usable, raising=False)
        (tmp_path / "own").write_text(own)
        for name, text in dict(files).items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return made


@pytest.fixture
def folder(tmp_path):
    """A function that makes the folder of a dataset of a size, with peaks of measured points."""

    def made(entries, *peaks):
        path = tmp_path / "data"
        path.mkdir()
        (path / "manifest.json").write_text(json.dumps({"counts": {"entries": entries}}))
        for at, peak in enumerate(peaks):
            file = path / "grids" / "als" / f"{at}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"point": {"peak_mb": peak}}))
        return path

    return made


def test_no_more_cores_than_this_process_may_use(machine):
    machine(physical=8, may_use=3)
    assert cores() == 3
    machine(physical=None, may_use=3)
    assert cores() == 1


V2 = {"pod/cpu.max": "150000 100000", "pod/memory.max": "6000000000"}
V1 = {
    "cpu/pod/cpu.cfs_quota_us": "200000",
    "cpu/pod/cpu.cfs_period_us": "100000",
    "memory/pod/memory.limit_in_bytes": "6000000000",
    "memory/pod/memory.usage_in_bytes": "2000000000",
    "memory/pod/memory.stat": "cache 9\ntotal_inactive_file 500000000\n",
}


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/pod/inner\n", V2 | {"pod/memory.current": "1000000000"}, (1, 5 * GB)),
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, (8, 64 * GB)),
        ("0::/elsewhere\n", {"cpu.max": "300000 100000"}, (3, 64 * GB)),
        ("4:memory:/pod\n1:cpu,cpuacct:/pod\n", V1, (2, 4.5 * GB)),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "9"}, (8, 64 * GB)),
        ("3:cpuset:/pod\n", V1, (8, 64 * GB)),
        ("", {}, (8, 64 * GB)),
    ],
)
def test_a_cgroup_of_either_version_or_one_above_it_bounds(machine, own, files, expected):
    machine(own=own, files=files)
    assert (cores(), free_memory()) == expected


def test_what_fits_is_by_measured_peaks_or_the_size_whichever_needs_more(machine, folder):
    machine(available=10.5 * GB)
    assert affordable_jobs() == 8
    small = folder(1_000, 400, 900)
    assert affordable_jobs(small) == 8
    (small / "grids" / "als" / "2.json").write_text(json.dumps({"point": {"peak_mb": 3_500}}))
    assert affordable_jobs(small) == 2
    machine(available=1e6)
    assert affordable_jobs(small) == 1


def test_a_process_takes_its_own_room_however_small_the_dataset(machine, folder):
    machine(available=5.5 * GB)
    assert affordable_jobs(folder(1_000)) == affordable_jobs() == 5


def test_a_first_grid_on_much_data_is_bounded_by_its_size(machine, folder):
    machine(available=64 * GB)
    assert affordable_jobs(folder(66_346_428)) == 3


def test_a_folder_without_a_dataset_yet_counts_as_small(machine, tmp_path):
    machine()
    assert affordable_jobs(tmp_path) == affordable_jobs() == 8


def measure_a_point(dataset, folder):
    grid.grid(dataset, "popularity", [{}], holdout=30, validation=20)


def train_a_ranker(dataset, folder):
    params = Ranker.Params(folds=2, playlists=40)
    crossfit.crossfit(dataset, {"popularity": {}, "titles": {}}, params, folder)


@pytest.mark.parametrize("work", [measure_a_point, train_a_ranker])
def test_whoever_fits_side_by_side_asks_for_room_on_its_dataset(
    planted, tmp_path, monkeypatch, work
):
    def answers(worker, tasks, jobs):
        raise InterruptedError(jobs)

    for module in (grid, crossfit):
        monkeypatch.setattr(module, "affordable_jobs", {planted.folder: 5}.__getitem__)
        monkeypatch.setattr(module, "answers", answers)
    with pytest.raises(InterruptedError, match="5"):
        work(planted, tmp_path / "work")

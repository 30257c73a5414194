import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import SegueError
from core.workspace import (
    Workspace,
    atomic_file,
    atomic_folder,
    load_arrays,
    read_json,
    recover,
    save_arrays,
    write_json,
)


def everything_below(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_appears_whole(tmp_path):
    with atomic_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("1")
        assert not (tmp_path / "set").exists()
    assert everything_below(tmp_path) == {"set/a": b"1"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failed_replacement_leaves_the_previous_folder(tmp_path, error):
    with atomic_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("old")

    def fail():
        with atomic_folder(tmp_path / "set") as partial:
            (partial / "a").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert everything_below(tmp_path) == {"set/a": b"old"}


def test_a_crash_between_the_two_renames_is_undone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_text("old")
    (tmp_path / "set").rename(tmp_path / ".replaced-set")
    recover(tmp_path)
    assert everything_below(tmp_path) == {"set/a": b"old"}


def test_a_crash_after_both_renames_keeps_the_new_folder(tmp_path):
    for name, content in (("set", "new"), (".replaced-set", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(content)
    recover(tmp_path)
    assert everything_below(tmp_path) == {"set/a": b"new"}


def test_a_failed_write_leaves_the_previous_file(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})

    def fail():
        with atomic_file(tmp_path / "a.json") as partial:
            partial.write_text("{")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert read_json(tmp_path / "a.json") == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_json_refuses_what_json_does_not_know(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_damaged_json_is_one_sentence(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(SegueError, match=r"a\.json cannot be read"):
        read_json(tmp_path / "a.json")


def test_arrays_come_back_and_are_read_only(tmp_path):
    save_arrays(tmp_path, {"a": np.arange(6).reshape(2, 3), "b": np.float16([1.5])})
    loaded = load_arrays(tmp_path)
    assert loaded.keys() == {"a", "b"}
    np.testing.assert_array_equal(loaded["a"], [[0, 1, 2], [3, 4, 5]])
    assert loaded["b"].dtype == np.float16
    with pytest.raises(ValueError):
        loaded["a"][0, 0] = 9


@pytest.mark.parametrize("content", [b"", b"not an array", None])
def test_a_damaged_or_pickled_array_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.npy"
    if content is None:
        np.save(path, np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(content)
    with pytest.raises(SegueError, match="is damaged"):
        load_arrays(tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "x\0", "demo\n"])
def test_names_that_could_leave_the_workspace_are_refused(tmp_path, name):
    with pytest.raises(SegueError, match="cannot name a dataset"):
        Workspace(tmp_path).new_path(name)


def test_an_unknown_dataset_names_those_there_are(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text(json.dumps({}))
    with pytest.raises(SegueError, match=r"no dataset 'other'.*mine"):
        Workspace(tmp_path).path("other")


# --- several processes, and deletion ---


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """ "mine" and "yours", and a shipped "demo" outside."""
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "shipped" / "demo")
    for folder in ("shipped/demo", "here/mine", "here/yours", "here/.jobs/1", "here/.downloads/a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "manifest.json").write_text("{}")
    return Workspace(tmp_path / "here")


def test_only_datasets_have_names(workspace):
    assert workspace.names() == ["demo", "mine", "yours"]


def test_another_process_may_recover_between_the_two_renames(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("old")
    rename, renamed = Path.rename, []

    def rename_then_recover(path, target):
        result = rename(path, target)
        if not renamed and Path(target).name == ".replaced-set":
            renamed.append(path)
            recover(tmp_path)
        return result

    monkeypatch.setattr(Path, "rename", rename_then_recover)
    with atomic_folder(tmp_path / "set") as partial:
        (partial / "a").write_text("new")
    assert renamed
    assert everything_below(tmp_path) == {"set/a": b"new"}


def test_what_is_deleted_is_gone_and_nothing_else(workspace):
    workspace.delete("mine")
    assert workspace.names() == ["demo", "yours"]
    left = {path.name for path in workspace.folder.iterdir()}
    assert left == {"yours", ".jobs", ".downloads"}


def test_an_open_dataset_is_read_to_its_end_after_deletion(workspace):
    save_arrays(workspace.folder / "mine" / "arrays", {"a": np.arange(5)})
    mapped = load_arrays(workspace.folder / "mine" / "arrays")["a"]
    workspace.delete("mine")
    np.testing.assert_array_equal(mapped, np.arange(5))


def test_a_deletion_that_was_interrupted_is_finished_later(workspace, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("core.workspace.shutil.rmtree", lambda *_, **__: None)
        workspace.delete("mine")
    assert workspace.names() == ["demo", "yours"]
    assert list(workspace.folder.glob(".deleted-*"))
    Workspace(workspace.folder)
    assert not list(workspace.folder.glob(".deleted-*"))


def test_the_shipped_demo_stays_and_its_copy_goes(workspace):
    with pytest.raises(SegueError, match="'demo' ships with Segue"):
        workspace.delete("demo")
    assert not workspace.is_own("demo")
    (workspace.folder / "yours").rename(workspace.folder / "demo")
    assert workspace.is_own("demo")
    workspace.delete("demo")
    assert workspace.names() == ["demo", "mine"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nobodys", "no dataset 'nobodys'"), ("../mine", "cannot name"), (".jobs", "cannot name")],
)
def test_what_is_no_dataset_cannot_be_deleted(workspace, name, sentence):
    with pytest.raises(SegueError, match=sentence):
        workspace.delete(name)


def test_two_who_delete_at_once_get_a_sentence_at_most(workspace, monkeypatch):
    path = workspace.folder / "mine"
    monkeypatch.setattr(Workspace, "own_path", lambda *_: path)
    workspace.delete("mine")
    with pytest.raises(SegueError, match="deleted by somebody else"):
        workspace.delete("mine")

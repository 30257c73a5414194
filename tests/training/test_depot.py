from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from core.errors import SegueError
from core.training import bucket as bucket_module
from core.training.depot import delivered, depot, fetched, require_writable


@pytest.fixture(params=["folder", "bucket"])
def address(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "depot")
    root, _ = request.getfixturevalue("bucket")
    return f"{root}/{tmp_path.name}"


@pytest.fixture
def store(address):
    return depot(address)


def written(store, place, **files):
    with store.writing(place) as folder:
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def there(address, place):
    """Files at a place, as another process sees them."""
    folder = depot(address).reading(place)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_what_is_written_is_read_by_others(store, address):
    written(store, "a/b", one="1", deep__two="ü")
    assert there(address, "a/b") == {"one": "1", "deep/two": "ü"}
    assert store.exists("a/b")
    store.write_json("a/.c.json", {})
    assert store.names("a") == ["b"]


def test_what_is_written_again_replaces_what_was_there(store, address):
    written(store, "a", one="1", two="2")
    written(store, "a", two="3")
    assert there(address, "a") == {"two": "3"}


def test_what_fails_leaves_what_was_there(store, address):
    def fail():
        with store.writing("a") as folder:
            (folder / "one").write_text("2")
            raise OSError

    written(store, "a", one="1")
    with pytest.raises(OSError):
        fail()
    assert there(address, "a") == {"one": "1"}


def test_what_is_added_to_what_was_read_is_given_back(store, address):
    for place in ("a", "ab"):
        written(store, place, one="1")
        folder = store.reading(place)
    (folder / "deep").mkdir()
    (folder / "deep" / "two").write_text("2")
    store.give_back("ab/deep")
    assert there(address, "ab") == {"one": "1", "deep/two": "2"}
    assert there(address, "a") == {"one": "1"}


def test_what_is_deleted_is_gone(store):
    written(store, "a/b", one="1")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a/b")
    with pytest.raises(SegueError, match="a/b"):
        store.reading("a/b")


def test_a_folder_whose_replacement_was_broken_off_is_read_and_deleted_as_it_was(tmp_path):
    store = depot(str(tmp_path))
    for place in ("read/a", "deleted/a"):
        written(store, place, one="1")
        (tmp_path / place).rename((tmp_path / place).with_name(".replaced-a"))
    assert there(str(tmp_path), "read/a") == {"one": "1"}
    store.delete("deleted/a")
    with pytest.raises(SegueError, match="There is nothing at"):
        store.reading("deleted/a")


def test_json_is_replaced(store, address):
    store.write_json("x/y.json", {"ü": [1.5, None]})
    store.write_json("x/y.json", {"ü": 2})
    assert depot(address).read_json("x/y.json") == {"ü": 2}
    with pytest.raises(SegueError, match=r"z\.json"):
        store.read_json("x/z.json")


def test_single_files_go_there_and_back(address, tmp_path):
    if "://" not in address:
        Path(address).mkdir()
    with delivered(f"{address}/out.csv") as file:
        file.write_text("1,2")
    assert fetched(f"{address}/out.csv", tmp_path).read_text() == "1,2"
    with pytest.raises(SegueError, match=r"absent\.csv"):
        fetched(f"{address}/absent.csv", tmp_path)


def test_what_s3_refuses_is_one_sentence(bucket, tmp_path):
    store = depot("s3://segue-is-not-there/x")
    for ask in (
        lambda: written(store, "a", one="1"),
        lambda: store.write_json("a.json", {}),
        lambda: store.names("a"),
        lambda: store.reading("a"),
    ):
        with pytest.raises(SegueError, match=r"s3://segue-is-not-there/x/a.*does not exist"):
            ask()


def test_what_a_process_has_written_it_reads_anew(store):
    written(store, "a", one="1")
    store.reading("a")
    written(store, "a", one="2")
    assert (store.reading("a") / "one").read_text() == "2"


def test_only_what_is_asked_for_is_fetched(store, address):
    written(store, "a", one="1", deep__two="2", models__three="3")
    other = depot(address)
    folder = other.reading("a", ["one", "deep"])
    assert (folder / "deep" / "two").read_text() == "2"
    assert "://" not in address or not (folder / "models").exists()
    assert (other.reading("a", ["models"]) / "models" / "three").read_text() == "3"
    assert (folder / "one").read_text() == "1"


# --- S3 alone ---


@pytest.fixture
def place_in_s3(bucket, tmp_path):
    root, _ = bucket
    return f"{root}/{tmp_path.name}"


@contextmanager
def requests(store):
    """What is asked of S3, and how many keys its listings give."""
    asked, listed = [], []
    events = store._client.meta.events
    events.register("before-call.s3", ask := lambda model, **_: asked.append(model.name))
    answered = "after-call.s3.ListObjectsV2"
    events.register(answered, tell := lambda parsed, **_: listed.append(parsed["KeyCount"]))
    yield asked, listed
    events.unregister("before-call.s3", ask)
    events.unregister(answered, tell)


@pytest.mark.parametrize("step", ["upload", "write_json"])
def test_an_upload_that_is_broken_off_leaves_what_was_there(place_in_s3, monkeypatch, step):
    store = depot(place_in_s3)
    written(store, "a", one="1", two="1")

    def killed(*_):
        upload({"a/.versions/x/one": Path(__file__)})
        raise KeyboardInterrupt

    upload = store.upload
    monkeypatch.setattr(store, step, killed)
    with pytest.raises(KeyboardInterrupt):
        written(store, "a", one="2", two="2")
    assert there(place_in_s3, "a") == {"one": "1", "two": "1"}
    with pytest.raises(KeyboardInterrupt):
        written(store, "b", one="2")
    assert not store.exists("b")
    with pytest.raises(SegueError, match="not whole"):
        store.reading("b")


def test_whoever_reads_while_another_writes_gets_the_one_or_the_other(place_in_s3, monkeypatch):
    writer, reader = depot(place_in_s3), depot(place_in_s3)
    written(writer, "a", **dict.fromkeys("abcdefghijkl", "1"))
    download, begun = reader.download, []

    def download_late(place, target):
        if not begun:
            begun.append(place)
            written(writer, "a", **dict.fromkeys("cdefghijklmn", "2"))
        return download(place, target)

    monkeypatch.setattr(reader, "download", download_late)
    folder = reader.reading("a")
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert begun
    assert found == dict.fromkeys("cdefghijklmn", "2")


def test_what_is_replaced_or_was_broken_off_long_ago_takes_no_room(place_in_s3, monkeypatch):
    store = depot(place_in_s3)
    written(store, "a", one="1")
    (store.reading("a") / "two").write_text("1")
    store.give_back("a")
    store.upload({"a/.versions/broken-off/one": Path(__file__)})
    written(store, "a", one="2")
    assert len(store._names("a")) == 3
    monkeypatch.setattr(bucket_module, "_ABANDONED", timedelta(0))
    monkeypatch.setattr(bucket_module, "_A_DELETION", 1)
    written(store, "a", one="3")
    assert len(store._names("a")) == 2


def test_what_s3_forbids_is_said_and_nothing_counts_as_there_any_more(place_in_s3, monkeypatch):
    store = depot(place_in_s3)
    written(store, "a", one="1")
    asked = []

    def delete(**told):
        asked.extend(one["Key"].rpartition("/")[2] for one in told["Delete"]["Objects"])
        return {"Errors": [{"Key": "a/x", "Message": "Access Denied"}]}

    def look(**_):
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    monkeypatch.setattr(store._client, "delete_objects", delete)
    with pytest.raises(SegueError, match=r"^s3://.*a/x: Access Denied$"):
        store.delete("a")
    assert asked == [".whole.json"]
    monkeypatch.setattr(store._client, "head_object", look)
    with pytest.raises(SegueError, match="Forbidden"):
        store.exists("a")


def test_only_what_has_changed_is_given_back(place_in_s3):
    mine, theirs = depot(place_in_s3), depot(place_in_s3)
    written(mine, "a", grids__one="1", grids__two="1")
    for store, name in ((mine, "one"), (theirs, "two")):
        (store.reading("a", ["grids"]) / "grids" / name).write_text("changed")
    theirs.give_back("a/grids")
    with requests(mine) as (asked, _):
        mine.give_back("a/grids")
        mine.give_back("a/grids")
    assert asked == ["PutObject"]
    assert there(place_in_s3, "a") == {"grids/one": "changed", "grids/two": "changed"}


def test_questions_cost_a_request_whatever_lies_below(place_in_s3):
    store = depot(place_in_s3)
    written(store, "runs/a/built", **dict.fromkeys("abcdef", "1"))
    store.write_json("runs/b/run.json", {})
    with requests(store) as (asked, listed):
        assert store.exists("runs/a/built")
        assert store.names("runs") == ["a", "b"]
        assert store.names("runs/b") == ["run.json"]
        assert asked == ["HeadObject", "ListObjectsV2", "ListObjectsV2"]
        assert sum(listed) == 3
        asked.clear()
        store.delete("runs/a")
        assert asked == ["ListObjectsV2", "DeleteObjects", "DeleteObjects"]
    assert store.names("runs") == ["b"]


# --- where a file is to be written ---


def test_where_a_file_cannot_be_written_is_known_before(address, bucket, tmp_path):
    require_writable(f"{address}/deep/out.csv")
    with pytest.raises(SegueError, match=r"absent\.csv"):
        fetched(f"{address}/absent.csv", tmp_path)
    (tmp_path / "file").write_text("")
    for out, said in (
        (f"{tmp_path}/file/out.csv", "cannot be written"),
        ("/proc/out.csv", "cannot be written"),
        (str(tmp_path), "is a folder"),
        ("s3://segue-is-not-there/out.csv", "does not exist"),
    ):
        with pytest.raises(SegueError, match=said):
            require_writable(out)

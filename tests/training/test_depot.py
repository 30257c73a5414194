from pathlib import Path

import pytest

from core.errors import SegueError
from core.training.depot import delivered, depot, fetched


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
    written(store, "a", one="1")
    (store.reading("a") / "deep").mkdir()
    (store.reading("a") / "deep" / "two").write_text("2")
    store.give_back("a/deep")
    assert there(address, "a") == {"one": "1", "deep/two": "2"}


def test_what_is_deleted_is_gone(store):
    written(store, "a/b", one="1")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a/b")
    with pytest.raises(SegueError, match="a/b"):
        store.reading("a/b")


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


def test_an_interrupted_upload_is_not_there(bucket, tmp_path):
    root, _ = bucket
    store = depot(f"{root}/{tmp_path.name}")
    written(store, "a", one="1")
    # As an upload leaves it that ends before its listing.
    store._remove("a", [".whole.json"])
    assert not store.exists("a")
    with pytest.raises(SegueError, match="not whole"):
        store.reading("a")

"""The API over a real socket: its answers are those of the recommender, its errors sentences."""

import concurrent.futures
import gc
import gzip
import json
import re
import shutil
import weakref

import pytest
import requests

from core.dataset.dataset import Dataset
from core.dataset.library import open_dataset
from core.errors import SegueError
from core.ordering import Dials
from core.serving import api
from core.serving.api import create_api
from core.serving.limits import MOST_BYTES
from core.serving.opened import opened
from core.serving.schema import MOST_INSTANCES, MOST_LETTERS, MOST_TRACKS
from core.trained import load_recommender
from core.training.train import train
from core.workspace import Workspace
from tests.serving.conftest import listening

SEEDS = ["t:0-01", "artist 0-2 - 0-02", "t:0-03"]


def problem(response: requests.Response, status: int) -> str:
    """What is said of a refused request."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == status
    assert content["title"]
    return content["detail"]


def uris(prediction) -> list[str]:
    return [track["uri"] for track in prediction["tracks"]]


@pytest.fixture(scope="module")
def recommender(served):
    return load_recommender(open_dataset(served, "planted"))


def continued(recommender, seeds, **asked) -> list[str]:
    ids = recommender.dataset.ids_of(seeds)
    found = recommender.continue_playlist(ids, **asked)
    return recommender.dataset.values("uri", found.tracks)


def test_an_answer_is_the_recommenders(ask, recommender):
    answer = ask({"seeds": SEEDS, "k": 7}).json()
    assert uris(answer) == continued(recommender, ["t:0-01", "t:0-02", "t:0-03"], k=7)
    assert [track["rank"] for track in answer["tracks"]] == [1, 2, 3, 4, 5, 6, 7]
    assert answer["not_found"] == []
    assert all(track["why"] is None for track in answer["tracks"])


def test_dials_and_the_model_are_turned(ask, recommender):
    asked = {"popularity": -1.0, "per_artist": 2, "variety": 0.5}
    answer = ask({"seeds": ["t:1-01"], "model": "item_knn", "dials": asked}).json()
    dials = Dials(**asked)
    assert uris(answer) == continued(recommender, ["t:1-01"], model="item_knn", dials=dials)
    assert uris(answer) != uris(ask({"seeds": ["t:1-01"], "model": "item_knn"}).json())


def test_a_blocked_artist_and_disliked_tracks_stay_out(ask):
    answer = ask({"seeds": ["t:0-01"], "dials": {"blocked_artists": ["artist 0-2"]}}).json()
    assert answer["tracks"]
    assert all(t["artist"] != "artist 0-2" for t in answer["tracks"])
    first = uris(answer)[0]
    assert first not in uris(ask({"seeds": ["t:0-01"], "dislikes": [first]}).json())


def test_liked_tracks_steer_and_years_bound(ask, recommender):
    liked = ask({"seeds": ["t:0-01"], "likes": ["t:1-05"]}).json()
    likes = recommender.dataset.ids_of(["t:1-05"])
    assert uris(liked) == continued(recommender, ["t:0-01"], likes=likes)
    assert uris(liked) != uris(ask({"seeds": ["t:0-01"]}).json())
    years = {"first_year": 2000, "last_year": 2000}
    bound = ask({"seeds": ["t:0-01"], "dials": years}).json()
    dials = Dials(years=(2000, 2000))
    assert uris(bound) == continued(recommender, ["t:0-01"], dials=dials)
    assert uris(bound) != uris(ask({"seeds": ["t:0-01"]}).json())


def test_a_batch_is_answered_query_by_query(ask):
    absent = f"spotify:track:{'9' * 22}"
    queries = [{"seeds": SEEDS}, {"title": "style three", "k": 3}, {"seeds": ["A - B", absent]}]
    batch = ask({"instances": queries}).json()["predictions"]
    assert batch == [ask(query).json() for query in queries]
    signed = ask({"instances": queries, "signature_name": "serving_default"}).json()
    assert signed["predictions"] == batch
    assert batch[2]["not_found"] == ["A - B", absent]
    assert any("2 of 2 seeds" in note for note in batch[2]["notes"])


def test_reasons_say_what_each_seed_has_to_do_with_it(ask):
    answer = ask({"seeds": SEEDS, "k": 3, "model": "item_knn", "reasons": True}).json()
    why = answer["tracks"][0]["why"]
    assert sum(seed["share"] for seed in why["seeds"]["each"]) == pytest.approx(why["score"])
    assert why["sentences"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"seeds": ["nonsense"]}, "seeds[0]: 'nonsense' is no uri"),
        ({"k": 0}, "body.k: "),
        ({"k": "7"}, "body.k: "),
        ({"seeds": ["t:0-01", f"spotify:album:{'x' * 22}"]}, "seeds[1]: 'spotify:album:"),
        ({"likes": [f"https://open.spotify.com/playlist/{'x' * 22}"]}, "a link to a playlist"),
        ({"sedes": []}, "body.sedes: "),
        ({"query": {"query": 1}}, "body.query: Extra"),
        ({"instances": [{"batch": 1}]}, "body.instances.0.batch: Extra"),
        ({"x" * 5_000: 1}, f"body.{'x' * 80}…: Extra"),
        ({"model": "magic"}, "no model 'magic'"),
        ({"model": "m" * 900}, "body.model: "),
        ({"model": ""}, "body.model: "),
        ({"dials": {"popularity": 2}}, "body.dials.popularity: "),
        ({"dials": {"first_year": 2000, "last_year": 1990}}, "after last_year"),
        ({"dials": {"blocked_artists": ["Nobody"]}}, "no artist “Nobody”"),
        ({"instances": []}, "body.instances: "),
        ({"instances": [{}] * (MOST_INSTANCES + 1)}, "body.instances: "),
        ({"instances": [{"k": 3}, {"k": -1}]}, "body.instances.1.k: "),
        ({"seeds": ["t:0-01"] * (MOST_TRACKS + 1)}, "body.seeds: "),
        ({"dislikes": ["t:0-01"] * (MOST_TRACKS + 1)}, "body.dislikes: "),
        ({"title": "x" * (MOST_LETTERS + 1)}, "body.title: "),
        ([], "body: "),
    ],
)
def test_a_mistake_is_named_where_it_is(ask, body, said):
    assert said in problem(ask(body), 422)


def test_a_uri_as_the_dataset_has_it_names_a_track_whatever_it_looks_like(make_dataset, tmp_path):
    odd = {"odd": {"uri": "Ü – 1 - x/2.mp3"}}
    made = make_dataset([["odd", "a"], ["a", "b"], ["odd", "b"]], tracks=odd)
    shutil.copytree(made.folder, tmp_path / "made")
    train(Dataset(tmp_path / "made"), ["popularity"], "fast", map_method=None)
    with listening(create_api(Workspace(tmp_path), "made")) as address:
        body = {"seeds": [odd["odd"]["uri"]]}
        found = requests.post(f"{address}/invocations", json=body, timeout=30).json()
    assert found["not_found"] == []
    assert odd["odd"]["uri"] not in uris(found)
    assert found["tracks"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b'{"title": "\\ud800"}'])
def test_what_is_no_json_is_told_where(address, body):
    headers = {"content-type": "application/json"}
    refused = requests.post(f"{address}/invocations", data=body, headers=headers, timeout=30)
    said = problem(refused, 400)
    assert re.fullmatch(r"The body is no JSON: .+ at line 1 column \d+\.", said)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 200),
        ("APPLICATION/JSON; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
        ("application/octet-stream", 200),
        ("application/x-www-form-urlencoded", 200),
        ("application/jsonlines", 415),
        ("text/csv", 415),
        ("json", 415),
    ],
)
def test_a_body_of_json_may_be_called_otherwise_but_not_anything(address, kind, status):
    headers = {"content-type": kind} if kind else {}
    body = b'{"title": "style three"}'
    answered = requests.post(f"{address}/invocations", data=body, headers=headers, timeout=30)
    assert answered.status_code == status
    assert status == 200 or "application/json" in problem(answered, 415)


def test_a_packed_body_is_refused_for_what_it_is(address):
    def post(coding, body):
        headers = {"content-type": "application/json", "content-encoding": coding}
        return requests.post(f"{address}/invocations", data=body, headers=headers, timeout=30)

    refused = post("gzip", gzip.compress(b"{}"))
    assert "without Content-Encoding" in problem(refused, 415)
    assert refused.headers["accept-encoding"] == "identity"
    assert post("identity", b"{}").ok


def test_what_is_too_large_elsewhere_or_no_number(address):
    def post(path, data):
        headers = {"content-type": "application/json"}
        return requests.post(address + path, data=data, headers=headers, timeout=30)

    no_number = problem(post("/invocations", b'{"dials": {"popularity": NaN}}'), 422)
    assert no_number == "body.dials.popularity: Input should be a finite number."
    large = json.dumps({"title": "x" * MOST_BYTES})
    assert f"{MOST_BYTES:,} bytes" in problem(post("/invocations", large), 413)
    assert "bytes" in problem(post("/invocations", iter([large.encode()])), 413)  # no length said
    assert "openapi.json says what there is" in problem(post("/elsewhere", b""), 404)
    assert problem(requests.get(f"{address}/docs", timeout=30), 404)  # of pages from elsewhere
    wrong_method = requests.get(f"{address}/invocations", timeout=30)
    assert problem(wrong_method, 405) == "This path takes POST alone."
    assert problem(requests.get(f"{address}/ping/", timeout=30, allow_redirects=False), 404)


@pytest.mark.parametrize("path", ["/ping", "/api/models", "/openapi.json", "/metrics"])
def test_a_head_is_a_get_without_its_body(address, path):
    head = requests.head(address + path, timeout=30)
    assert head.status_code == 200
    assert int(head.headers["content-length"]) > 0
    assert head.content == b""


def test_search_and_models(address, recommender):
    def get(path, **params):
        return requests.get(address + path, params=params, timeout=30).json()

    (found,) = get("/api/search", q="2-07", k=1)["results"]
    assert found["uri"] == "t:2-07"
    assert found["artist"] == "artist 2-1"
    assert found["playlists"] == recommender.dataset.counts[recommender.dataset.ids_of(["t:2-07"])]
    (artist,) = get("/api/search", q="artist 2-1", kind="artists", k=1)["results"]
    assert artist["name"] == "artist 2-1"
    assert get("/api/search", q="\x9e\udb00"[0], kind="artists")["results"] == []
    beyond = requests.get(f"{address}/api/search?q=a&k=51", timeout=30)
    assert problem(beyond, 422).startswith("k: ")
    models = get("/api/models")
    assert [model["name"] for model in models["models"]] == recommender.choices
    default, *others = (model["default"] for model in models["models"])
    assert default
    assert not any(others)
    assert models["simulated"] is False


def test_a_server_with_a_token_answers_only_who_shows_it(served):
    with listening(create_api(served, "planted", token="let-me-in")) as address:

        def get(path, token):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return requests.get(address + path, headers=headers, timeout=30)

        assert get("/api/models", "let-me-in").ok
        for token in ("", "let me", "let-me-in-too", "lét me in".encode()):
            shown = token.decode("latin-1") if isinstance(token, bytes) else token
            for path in ("/api/models", "/api/search?q=2-07"):
                refused = get(path, shown)
                assert problem(refused, 401)
                assert refused.headers["www-authenticate"] == "Bearer"
        unread = requests.post(f"{address}/invocations", data=b"{", timeout=30)
        assert problem(unread, 401)
        assert get("/ping", "").ok
        described = get("/openapi.json", "").json()["paths"]["/api/models"]["get"]
        assert "security" in described
        assert "401" in described["responses"]


def test_a_token_has_what_can_be_shown_and_not_the_end_of_its_line(served):
    for token in ("lét-me-in", "let me in", "\n"):
        with pytest.raises(SegueError, match="no bearer token"):
            create_api(served, "planted", token=token)
    with listening(create_api(served, "planted", token="abc=\n")) as address:
        shown = {"Authorization": "Bearer abc="}
        assert requests.get(f"{address}/api/models", headers=shown, timeout=30).ok


def test_without_a_dataset_or_models_it_is_not_ready(served, tmp_path, monkeypatch):
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "demo")
    with listening(create_api(Workspace(tmp_path))) as address:

        def said(path="/ping") -> str:
            return problem(requests.get(address + path, timeout=30), 503)

        assert "no dataset" in said()
        shutil.copytree(served.path("planted"), tmp_path / "planted")
        assert requests.get(f"{address}/ping", timeout=30).ok
        shutil.rmtree(tmp_path / "planted" / "models")
        assert "No model is trained" in said()
        assert "No model is trained" in said("/api/models")


def test_a_fault_of_ours_is_one_sentence_that_shows_nothing_of_it(ask, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of the planted fault")

    monkeypatch.setattr(api, "answer", fail)
    assert problem(ask({"title": "style three"}), 500).endswith("its log says how.")


def test_what_is_counted(served):
    with listening(create_api(served, "planted")) as address:
        assert requests.get(f"{address}/ping", timeout=30).json()["dataset"] == "planted"
        requests.get(f"{address}/strange/<path>", timeout=30)
        report = requests.get(f"{address}/metrics", timeout=30).text
    assert 'segue_requests_total{route="/ping",status="200"} 1.0' in report
    assert 'segue_requests_total{route="other",status="404"} 1.0' in report
    assert 'segue_request_seconds_count{route="/ping"} 1.0' in report
    assert "segue_requests_now 1.0" in report  # this one
    assert "strange" not in report


def test_many_at_once_get_what_one_alone_gets(ask):
    queries = [{"seeds": [f"t:{style}-{n:02}"], "k": 5} for style in range(4) for n in range(8)]
    alone = [ask(query).json() for query in queries]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda query: ask(query).json(), queries * 4))
    assert together == alone * 4


def test_a_dataset_trained_anew_is_opened_anew_and_the_old_one_let_go(served):
    before = opened(served, "planted")
    assert opened(served, "planted") is before
    (served.path("planted") / "models" / "titles" / "card.json").touch()
    assert opened(served, "planted") is not before
    outdated = weakref.ref(before)
    del before
    gc.collect()
    assert outdated() is None

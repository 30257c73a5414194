from dataclasses import asdict, fields

import pytest

from core.errors import SegueError
from core.ranking.ranker import RANKER, Ranker
from core.retrieval import MODELS
from core.training.settings import as_texts, parse_settings, settings_of


@pytest.mark.parametrize("name", [*MODELS, RANKER])
def test_every_setting_is_known_and_explained(name):
    params = Ranker.Params if name == RANKER else MODELS[name].Params
    settings = settings_of(name)
    assert [setting.name for setting in settings] == [field.name for field in fields(params)]
    for setting in settings:
        assert setting.meaning, f"{name}.{setting.name} is not explained"
        assert setting.meaning[0].isupper() or setting.meaning[0] in '"0123456789'
        assert type(setting.default) is setting.kind
        low, high = setting.bounds
        if setting.kind in (int, float):
            assert low is None or low <= setting.default
            assert high is None or setting.default <= high


def test_meanings_are_those_of_the_documentation():
    by_name = {setting.name: setting for setting in settings_of("track2vec")}
    assert by_name["window"].meaning == (
        "Largest distance of two tracks that occur around each other."
    )
    assert by_name["sg"].choices == (False, True)
    assert by_name["score"].choices == ("product", "cosine")
    assert by_name["epochs"].bounds == (1, None)
    inherited = {setting.name: setting for setting in settings_of("multi_view_knn")}
    assert inherited["nearness"].bounds == (0, 1)
    assert "two views" not in inherited["nearness"].meaning


def test_texts_and_settings_are_each_other():
    settings = {
        "als": {"factors": 8, "alpha": 0.5},
        "track2vec": {"sg": False, "score": "cosine", "ns_exponent": -0.5},
    }
    assert parse_settings(as_texts(settings)) == settings
    assert parse_settings([]) == {}


@pytest.mark.parametrize("name", [*MODELS, RANKER])
def test_defaults_survive_as_texts(name):
    params = Ranker.Params() if name == RANKER else MODELS[name].Params()
    settings = {name: asdict(params)} if asdict(params) else {}
    assert parse_settings(as_texts(settings)) == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("window=20", "write it as track2vec.window=20"),
        ("als.window=20", "als has no setting 'window'"),
        ("lstm.window=20", "There is no model 'lstm'"),
        ("als.factors=2,3", "als.factors is one value here; a grid takes several"),
        ("als.factors=x", "'x' is no value of factors: give an integer"),
        ("track2vec.window=0", "window is 1 or more, not 0"),
        ("als.factors=-3", "factors is 1 or more, not -3"),
        ("titles.least=1.5", "least is from 0 to 1, not 1.5"),
        ("als.factors", "'factors' sets nothing"),
    ],
)
def test_a_wrong_text_is_one_sentence(text, sentence):
    with pytest.raises(SegueError, match=sentence):
        parse_settings([text])

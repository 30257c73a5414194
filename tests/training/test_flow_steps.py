"""Steps of the pipeline in this process, without Metaflow's own."""

import inspect
import sys
import traceback
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.errors import SegueError
from core.serving.endpoint import CheckReport
from core.training import flow
from core.training.asked import in_a_sentence
from core.training.depot import depot
from core.training.flow import SegueFlow, recorded
from core.training.pipeline import content
from core.training.runs import begin, standing, stored_runs

STEPS = [one for _, one in inspect.getmembers(SegueFlow) if hasattr(one, "is_step")]


@pytest.fixture(autouse=True)
def traces(monkeypatch):
    """Traces of defects are whole again after a step that failed."""
    monkeypatch.setattr(sys, "tracebacklimit", 1_000, raising=False)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run at its step "fit", as Metaflow would call it."""
    monkeypatch.setattr(flow, "current", SimpleNamespace(step_name="fit", run_id="2"))
    store = str(tmp_path)
    name = begin(depot(store), {"dataset": "a"}, "1")
    return SimpleNamespace(store=store, run_name=name)


def test_a_step_says_when_it_begins_and_why_it_fails(run):
    def body(self, *inputs):
        seen.append(stored_runs(depot(self.store))[0])
        raise error

    for error, said in (
        (SegueError("The disk is full."), "The disk is full."),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ):
        seen: list = []
        with pytest.raises(type(error)):
            recorded(body)(run)
        (begun,), (failed,) = seen, stored_runs(depot(run.store))
        assert (standing(begun), begun.step, begun.problem) == ("running", "fit", "")
        assert (standing(failed), failed.step, failed.problem) == ("failed", "fit", said)
        assert failed.tries == ["1", "2"]


@pytest.mark.parametrize(("error", "shown"), [(SegueError, False), (ValueError, True)])
def test_a_steps_sentence_is_shown_without_the_code_it_came_from(error, shown):
    @in_a_sentence
    def body(self):
        try:
            raise KeyError("x")
        except KeyError as cause:
            raise error("The disk is full.") from cause

    with pytest.raises(error) as failed:
        body(None)
    said = "".join(traceback.format_exception(failed.value))
    assert said.strip().endswith("The disk is full.")
    assert (len(said.strip().splitlines()) > 1) == shown


def test_why_a_step_fails_is_worth_more_than_that_it_cannot_be_recorded(run, monkeypatch):
    def body(self):
        monkeypatch.setattr(flow.runs, "note", gone)
        raise SegueError("The disk is full.")

    with pytest.raises(SegueError, match="The disk is full"):
        recorded(body)(run)


def gone(*_, **__):
    raise SegueError("There is nothing at the store.")


def test_a_join_knows_its_run_by_what_it_joins(run):
    joining = SimpleNamespace(store=run.store)
    recorded(lambda self, inputs: None)(joining, [run, run])
    assert stored_runs(depot(run.store))[0].step == "fit"


def test_every_step_after_the_first_is_recorded_and_none_hides_its_faults():
    assert len(STEPS) == 12
    for step in STEPS:
        assert hasattr(step.__wrapped__, "__wrapped__") == (step.__name__ != "start")
        assert "catch" not in {decorator.name for decorator in step.decorators}


def test_steps_refuse_other_data_than_their_run_began_with(planted):
    place = SimpleNamespace(reading=lambda *_: planted.folder)
    began = content(planted.manifest)
    same = SimpleNamespace(_depot=lambda: place, dataset="planted", content=began)
    assert SegueFlow._data(same).manifest == planted.manifest
    same.content = began | {"features": [{"source": "others"}]}
    with pytest.raises(SegueError, match="the joined features have changed"):
        SegueFlow._data(same)


class Step(SimpleNamespace):
    """What the last steps ask of their flow."""

    def _target(self):
        return SimpleNamespace(address="http://here")

    def _servable(self):
        return "folder"

    def _note(self, **news):
        self.noted |= news

    def _checked(self, report):
        self._note(check=report)

    def next(self, step):
        self.then = step


class Unrecorded(Step):
    """The same, whose store is gone by the end of the check."""

    _note = gone

    def _checked(self, report):
        pass


def test_a_failed_check_fails_the_step_that_deploys_so_that_it_deploys_again(monkeypatch):
    wrong = CheckReport("b", 12, ["No answer."])

    def refused(target, folder, seen):
        seen(wrong)
        raise SegueError("Rolled back. No answer.")

    def right(target, folder, seen):
        return replace(wrong, wrong=[])

    step = Step(noted={}, check="check")
    monkeypatch.setattr("core.serving.endpoint.release", refused)
    with pytest.raises(SegueError, match="Rolled back"):
        inspect.unwrap(SegueFlow.deploy)(step)
    assert step.noted == {"check": wrong, "endpoint": "http://here"}
    assert not hasattr(step, "then")
    with pytest.raises(SegueError, match="Rolled back"):
        inspect.unwrap(SegueFlow.deploy)(Unrecorded())
    monkeypatch.setattr("core.serving.endpoint.release", right)
    inspect.unwrap(SegueFlow.deploy)(step)
    assert (step.release, step.then) == ("b", "check")


def test_what_answers_by_now_is_checked_and_never_rolled_back(monkeypatch):
    wrong = []

    def asked(target, folder, progress):
        return CheckReport("another", 12, wrong)

    monkeypatch.setattr("core.serving.endpoint.check", asked)
    step = Step(noted={}, end="end", release="ours")
    with pytest.raises(SegueError, match="another release took its place"):
        inspect.unwrap(SegueFlow.check)(step)
    assert step.noted == {}
    step.release = "another"
    inspect.unwrap(SegueFlow.check)(step)
    assert step.noted["check"] == {"release": "another", "asked": 12, "wrong": []}
    assert step.then == "end"
    del step.then
    wrong.append("No answer.")
    with pytest.raises(SegueError, match="answered 1 of 12 known queries wrongly"):
        inspect.unwrap(SegueFlow.check)(step)
    assert step.noted["check"]["wrong"] == ["No answer."]
    assert not hasattr(step, "then")

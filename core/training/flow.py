"""The pipeline as a Metaflow flow: from raw files to a checked endpoint.

Every step is a few lines around functions that the command line and the app use as well. Steps hand
each other plain values; datasets, models and measurements lie in the depot, a folder or S3.
`python -m core flow --help` says how to start it; Metaflow's own switches (`--with kubernetes`,
`--with batch`, `argo-workflows create`) send the same flow to a cluster.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow import FlowSpec, Parameter, card, current, environment, resources, step

from core.dataset.dataset import Dataset
from core.errors import SegueError, in_words
from core.evaluation.shards import Part, shards
from core.training import run_card, runs
from core.training.asked import Asked, as_parameter, asked, in_a_sentence
from core.training.depot import Depot, shared, usual_store
from core.training.evaluate import measured_part, merged, write_evaluation
from core.training.fitted import Held, fit_held_out, load_fitted, store_fitted
from core.training.pipeline import (
    chosen,
    cleaned,
    content,
    described,
    require_unchanged,
    test_figures,
)
from core.training.points import (
    TEST_SEED,
    Point,
    chosen_sizes,
    measured_point,
    planned,
    record_place,
)
from core.training.servable import TABLES, build_servable
from core.training.workers import ONE_THREAD

if TYPE_CHECKING:
    from core.serving.endpoint import CheckReport, Target

_ACCOUNT = {
    name: os.environ[name]
    for name in ("SEGUE_IMAGE", "SEGUE_ROLE", "SEGUE_BUCKET", "SEGUE_INSTANCE")
    if name in os.environ
}
"""What a deployment to SageMaker has to know, taken along to wherever the step runs."""


def recorded(body: Callable[..., None]) -> Callable[..., None]:
    """A step that tells the run's record when it begins, and why it fails."""

    @in_a_sentence
    @wraps(body)
    def told(flow: "SegueFlow", *inputs: Any) -> None:
        run = next(iter(inputs[0])).run_name if inputs else flow.run_name
        about = (shared(flow.store), run, current.step_name, current.run_id)
        runs.enter(*about)
        try:
            body(flow, *inputs)
        except Exception as error:
            with suppress(SegueError):  # what failed is worth more than that it is not recorded
                runs.note(*about, state="failed", problem=in_words(error))
            raise

    return told


def _parameter(name: str, **said: Any) -> Any:
    """One of what `Asked` describes, as Metaflow's."""
    return Parameter(name, **as_parameter(Asked, name) | said)


class SegueFlow(FlowSpec):
    """Clean, prepare, train a grid, keep the best, evaluate, build, deploy, check."""

    dataset = _parameter("dataset", required=True)
    grid = _parameter("grid", required=True)
    raw = _parameter("raw")
    source = _parameter("source")
    store = _parameter("store", default=usual_store())
    also = _parameter("also")
    preset = _parameter("preset")
    metric = _parameter("metric")
    holdout = _parameter("holdout")
    validation = _parameter("validation")
    parts = _parameter("parts")
    target = _parameter("target")

    @environment(vars=_ACCOUNT)
    @resources(cpu=1, memory=4_096)
    @step
    @in_a_sentence
    def start(self) -> None:
        """Read what is asked for, and begin the record."""
        parameters = {name: getattr(self, name) for name in current.parameter_names}
        plan = asked(Asked(**parameters))
        self.points, self.further = plan.points, plan.further
        self.run_name = runs.begin(self._depot(), parameters, current.run_id, current.origin_run_id)
        self.next(self.clean)

    @resources(cpu=2, memory=8_192)
    @step
    @recorded
    def clean(self) -> None:
        """Import the raw files, if there are any."""
        manifest = cleaned(self._depot(), self.dataset, self.raw, self.source)
        self.content = content(manifest)
        self._note(data=described(manifest))
        self.next(self.prepare)

    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def prepare(self) -> None:
        """Hold playlists out, and plan the points of the grid."""
        sizes = chosen_sizes(self._data(), self.holdout or None, self.validation or None)
        self.sizes = asdict(sizes)
        self.tasks = [
            task for name, points in self.points.items() for task in planned(name, points, sizes)
        ]
        self._note(sizes=self.sizes)
        self.next(self.train, foreach="tasks")

    @environment(vars=ONE_THREAD)
    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def train(self) -> None:
        """Fit one point and measure it on the validation playlists."""
        store, data = self._depot(), self._data("grids")
        found = measured_point(data, self.input)
        self.reason = "" if isinstance(found, Point) else found
        store.give_back(f"{self.dataset}/{record_place(self.input['model'])}")
        self.next(self.choose)

    @card(type="blank", id="grid")
    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def choose(self, inputs: Any) -> None:
        """Keep the best of each model, and the best of all by the metric."""
        self.merge_artifacts(inputs, include=["run_name", "content", "further", "sizes", "tasks"])
        reasons = [one.reason for one in inputs]
        choice = chosen(self._data("grids"), self.tasks, reasons, self.metric, self.further)
        self.settings = choice.settings
        run_card.fill_grid_card(current.card, self._note(**vars(choice)))
        self.next(self.fit)

    @resources(cpu=4, memory=16_384)
    @step
    @recorded
    def fit(self) -> None:
        """Fit what was chosen without the test playlists."""
        held = Held(self.sizes["holdout"], TEST_SEED)
        fitted = fit_held_out(self._data(), held, self.settings)
        with self._depot().writing(self._place("fitted")) as folder:
            store_fitted(fitted, held, folder)
        self.slices = shards(len(fitted.challenge), self.parts)
        self.next(self.measure, foreach="slices")

    @environment(vars=ONE_THREAD)
    @resources(cpu=1, memory=8_192)
    @step
    @recorded
    def measure(self) -> None:
        """Measure one part of the test playlists."""
        store, (start, stop) = self._depot(), self.input
        fitted = load_fitted(store.reading(self._place("fitted")), self._data())
        with store.writing(self._place(f"parts/{start}")) as folder:
            measured_part(fitted, start, stop).save(folder)
        self.next(self.evaluate)

    @card(type="blank", id="evaluation")
    @resources(cpu=2, memory=16_384)
    @step
    @recorded
    def evaluate(self, inputs: Any) -> None:
        """Put the parts together: the leaderboard on the test playlists."""
        self.merge_artifacts(inputs, include=["run_name", "content", "settings", "slices"])
        store = self._depot()
        fitted = load_fitted(store.reading(self._place("fitted")), self._data())
        parts = [
            Part.load(store.reading(self._place(f"parts/{start}")), fitted.systems)
            for start, _ in self.slices
        ]
        evaluation = merged(fitted, parts)
        with store.writing(self._place("evaluation")) as folder:
            write_evaluation(evaluation, folder)
        test = test_figures(evaluation.board, self.metric)
        run = self._note(test=test, serves=fitted.recommender.choices[0])
        run_card.fill_test_card(current.card, run)
        self.next(self.build)

    @resources(cpu=4, memory=16_384)
    @step
    @recorded
    def build(self) -> None:
        """Fit what was chosen on everything, into a folder that can be served."""
        store = self._depot()
        evaluation = store.reading(self._place("evaluation"))
        with store.writing(self._place(f"servable/{self.dataset}")) as folder:
            build_servable(self._data("search"), folder, self.settings, evaluation, TEST_SEED)
        self._note(servable=store.address(self._place("servable")))
        self.next(self.deploy)

    @environment(vars=_ACCOUNT)
    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def deploy(self) -> None:
        """Bring the folder up and ask it known queries; what answers wrongly is rolled back."""
        from core.serving.endpoint import release

        self.release = None
        if target := self._target():
            try:
                report = release(target, self._servable(), seen=self._checked)
            finally:
                with suppress(SegueError):  # a failure above is worth more than this one
                    self._note(endpoint=target.address)
            self.release = report.release
        self.next(self.check)

    @environment(vars=_ACCOUNT)
    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def check(self) -> None:
        """Ask what was released once more, from another process than the one that deployed it."""
        from core.serving.endpoint import check_again, require_right

        if target := self._target():
            report = check_again(target, self.release, self._servable())
            self._note(check=asdict(report), endpoint=target.address)
            require_right(report)
        self.next(self.end)

    @resources(cpu=1, memory=4_096)
    @step
    @recorded
    def end(self) -> None:
        """Close the record, let go of what only the steps needed, and say what came of it."""
        for part in ("fitted", "parts"):
            self._depot().delete(self._place(part))
        sys.stdout.write("\n".join(run_card.came_of(self._note(state="done"))) + "\n")

    def _depot(self) -> Depot:
        return shared(self.store)

    def _data(self, *besides: str) -> Dataset:
        data = Dataset(self._depot().reading(self.dataset, (*TABLES, *besides)))
        require_unchanged(self.dataset, self.content, content(data.manifest))
        return data

    def _place(self, part: str) -> str:
        return runs.place(self.run_name, part)

    def _servable(self) -> Path:
        return self._depot().reading(self._place(f"servable/{self.dataset}")).parent

    def _note(self, **news: Any) -> runs.Run:
        return runs.note(self._depot(), self.run_name, current.step_name, current.run_id, **news)

    def _checked(self, report: "CheckReport") -> None:
        self._note(check=asdict(report))

    def _target(self) -> "Target | None":
        from core.serving.endpoint import target_of

        return target_of(self.target, self.dataset, Path(self.store))


if __name__ == "__main__":
    SegueFlow()

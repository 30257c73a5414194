"""The pipeline as a Metaflow flow: from raw files to a checked endpoint.

Every step is a few lines around functions that the command line and the app use as well. Steps hand
each other plain values; datasets, models and measurements lie in the depot, a folder or S3.
`python -m core flow --help` says how to start it; Metaflow's own switches (`--with kubernetes`,
`--with batch`, `argo-workflows create`) send the same flow to a cluster.
"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow import FlowSpec, Parameter, card, catch, current, environment, resources, step

from core.dataset.dataset import Dataset
from core.evaluation.shards import Part, shards
from core.training import run_card, runs
from core.training.depot import Depot, shared
from core.training.evaluate import measured_part, merged, write_evaluation
from core.training.fitted import Held, fit_held_out, load_fitted, store_fitted
from core.training.grid import require_metric
from core.training.pipeline import (
    cleaned,
    failures,
    further_settings,
    grid_results,
    in_order,
    last_words,
    require_reachable,
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
from core.training.servable import build_servable
from core.training.settings import parse_grids
from core.training.workers import ONE_THREAD
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.serving.endpoint import Target

_ACCOUNT = {
    name: os.environ[name]
    for name in ("SEGUE_IMAGE", "SEGUE_ROLE", "SEGUE_BUCKET", "SEGUE_INSTANCE")
    if name in os.environ
}
"""What a deployment to SageMaker has to know, taken along to wherever the step runs."""


class SegueFlow(FlowSpec):
    """Clean, prepare, train a grid, keep the best, evaluate, build, deploy, check."""

    dataset = Parameter("dataset", required=True, help="Its name in the store.")
    raw = Parameter("raw", default="", help="Files to import it from first; commas between.")
    source = Parameter("source", default="auto", help="mpd | nowplaying | tidytuesday | list")
    store = Parameter(
        "store",
        default=os.environ.get("SEGUE_STORE") or str(Workspace().folder),
        help="Workspace folder, or s3://bucket/prefix.",
    )
    grid = Parameter(
        "grid", required=True, help='Values to try: "als.factors=32,64 als.alpha=10,20".'
    )
    also = Parameter(
        "also", default="popularity,titles", help="Models besides, and ranker; commas between."
    )
    preset = Parameter("preset", default="full", help="Of the models besides: fast | full")
    metric = Parameter("metric", default="r_precision", help="Choose by it: hit@10, …")
    holdout = Parameter("holdout", default=0, help="Test playlists; 0: as many as is usual.")
    validation = Parameter("validation", default=0, help="To choose on; 0: as is usual.")
    parts = Parameter("parts", default=4, help="Of the evaluation, at most.")
    target = Parameter("target", default="none", help="none | local | sagemaker")

    @resources(cpu=1, memory=2_000)
    @step
    def start(self) -> None:
        """Read what is asked for, and begin the record."""
        self.points = parse_grids(self.grid.split())
        self.further = further_settings(self.also, self.preset, self.points)
        require_metric(self.metric)
        self._target()
        parameters = {name: getattr(self, name) for name in current.parameter_names}
        self.run_name = runs.begin(self._depot(), parameters, current.run_id)
        self.next(self.clean)

    @resources(cpu=2, memory=8_000)
    @step
    def clean(self) -> None:
        """Import the raw files, if there are any."""
        manifest = cleaned(self._depot(), self.dataset, self.raw, self.source)
        about = ("name", "source", "licence", "simulated", "fingerprint", "counts", "cleaning")
        self._note(data={name: manifest.get(name) for name in about})
        self.next(self.prepare)

    @resources(cpu=1, memory=4_000)
    @step
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
    @resources(cpu=1, memory=4_000)
    @catch(var="crash")
    @step
    def train(self) -> None:
        """Fit one point and measure it on the validation playlists."""
        store, data = self._depot(), self._data()
        found = measured_point(data, self.input)
        self.reason = "" if isinstance(found, Point) else found
        store.give_back(f"{self.dataset}/{record_place(self.input['model'])}")
        self.next(self.choose)

    @card(type="blank", id="grid")
    @resources(cpu=1, memory=4_000)
    @step
    def choose(self, inputs: Any) -> None:
        """Keep the best of each model, and the best of all by the metric."""
        self.merge_artifacts(inputs, include=["run_name", "further", "sizes", "tasks"])
        reasons = [last_words(one.crash) if one.crash else one.reason for one in inputs]
        results = grid_results(self._data(), self.tasks, reasons, self.metric)
        ranked = run_card.grid_points(results)
        self.winner = ranked[0]
        best = {result.model: dict(result.best.point.settings) for result in results}
        self.settings = in_order(best | self.further)
        run = self._note(
            grid={
                "metric": self.metric,
                "points": ranked,
                "failures": failures(self.tasks, reasons),
            },
            winner=self.winner,
            settings=self.settings,
        )
        run_card.fill_grid_card(current.card, run)
        self.next(self.fit)

    @resources(cpu=4, memory=16_000)
    @step
    def fit(self) -> None:
        """Fit what was chosen without the test playlists."""
        held = Held(self.sizes["holdout"], TEST_SEED)
        fitted = fit_held_out(self._data(), held, self.settings)
        with self._depot().writing(self._place("fitted")) as folder:
            store_fitted(fitted, held, folder)
        self.slices = shards(len(fitted.challenge), self.parts)
        self._note()
        self.next(self.measure, foreach="slices")

    @resources(cpu=2, memory=8_000)
    @step
    def measure(self) -> None:
        """Measure one part of the test playlists."""
        store, (start, stop) = self._depot(), self.input
        fitted = load_fitted(store.reading(self._place("fitted")), self._data())
        with store.writing(self._place(f"parts/{start}")) as folder:
            measured_part(fitted, start, stop).save(folder)
        self.next(self.evaluate)

    @card(type="blank", id="evaluation")
    @resources(cpu=2, memory=16_000)
    @step
    def evaluate(self, inputs: Any) -> None:
        """Put the parts together: the leaderboard on the test playlists."""
        self.merge_artifacts(inputs, include=["run_name", "settings", "winner", "slices"])
        store = self._depot()
        fitted = load_fitted(store.reading(self._place("fitted")), self._data())
        parts = [
            Part.load(store.reading(self._place(f"parts/{start}")), fitted.systems)
            for start, _ in self.slices
        ]
        evaluation = merged(fitted, parts)
        with store.writing(self._place("evaluation")) as folder:
            write_evaluation(evaluation, folder)
        run_card.fill_test_card(current.card, self._note(test=test_figures(evaluation.board)))
        self.next(self.build)

    @resources(cpu=4, memory=16_000)
    @step
    def build(self) -> None:
        """Fit what was chosen on everything, into a folder that can be served."""
        store = self._depot()
        evaluation = store.reading(self._place("evaluation"))
        with store.writing(self._place("servable")) as folder:
            build_servable(self._data(), folder, self.settings, evaluation, TEST_SEED)
        self._note(servable=store.address(self._place("servable")))
        self.next(self.deploy)

    @environment(vars=_ACCOUNT)
    @resources(cpu=1, memory=4_000)
    @step
    def deploy(self) -> None:
        """Bring the folder up beside what answers now."""
        if target := self._target():
            target.deploy(self._servable())
            self._note(endpoint=target.address)
        self.next(self.check)

    @environment(vars=_ACCOUNT)
    @resources(cpu=1, memory=4_000)
    @step
    def check(self) -> None:
        """Ask the endpoint known queries; one that answers wrongly is rolled back."""
        from core.serving.endpoint import check, settle

        if target := self._target():
            report = check(target, self._servable())
            self._note(check=asdict(report))
            try:
                settle(target, report)
            finally:
                self._note(endpoint=target.address)
        self.next(self.end)

    @resources(cpu=1, memory=1_000)
    @step
    def end(self) -> None:
        """Close the record, and let go of what only the steps needed."""
        for part in ("fitted", "parts", "evaluation"):
            self._depot().delete(self._place(part))
        self._note(state="done")

    def _depot(self) -> Depot:
        return shared(self.store)

    def _data(self) -> Dataset:
        return Dataset(self._depot().reading(self.dataset))

    def _place(self, part: str) -> str:
        return runs.place(self.run_name, part)

    def _servable(self) -> Path:
        return self._depot().reading(self._place("servable"))

    def _note(self, **news: Any) -> runs.Run:
        return runs.note(self._depot(), self.run_name, current.step_name, current.run_id, **news)

    def _target(self) -> "Target | None":
        from core.serving.endpoint import target_of

        require_reachable(self.target, self.store)
        return target_of(self.target, self.dataset, Path(self.store))


if __name__ == "__main__":
    SegueFlow()

"""Continue a large file of queries as a Metaflow flow: parts of it side by side, then one file.

`python -m core flow queries run --store FOLDER --dataset NAME --challenge FILE --out FILE` writes
what `python -m core submit` writes, byte for byte.
"""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metaflow import FlowSpec, Parameter, current, resources, step

from core.dataset.dataset import Dataset
from core.evaluation.challenge import PublicChallenge
from core.evaluation.shards import shards
from core.training.asked import AskedQueries, as_parameter, asked_queries, in_a_sentence
from core.training.depot import Depot, delivered, fetched, shared, usual_store
from core.training.pipeline import content_to_answer, require_unchanged
from core.training.servable import ANSWERING, TABLES
from core.training.shelf import require_answer
from core.training.submit import merge_parts, require_challenge, write_part


def _parameter(name: str, **said: Any) -> Any:
    """One of what `AskedQueries` describes, as Metaflow's."""
    return Parameter(name, **as_parameter(AskedQueries, name) | said)


class SegueBatchFlow(FlowSpec):
    """Continue every playlist of a challenge file with 500 tracks."""

    dataset = _parameter("dataset", required=True)
    challenge = _parameter("challenge", required=True)
    out = _parameter("out", required=True)
    store = _parameter("store", default=usual_store())
    model = _parameter("model")
    parts = _parameter("parts")
    team = _parameter("team")
    email = _parameter("email")

    @resources(cpu=1, memory=4_096)
    @step
    @in_a_sentence
    def start(self) -> None:
        """Read the file, and cut it."""
        parameters = {name: getattr(self, name) for name in current.parameter_names}
        asked_queries(AskedQueries(**parameters))
        self.place = f".batch/{current.run_id}"
        data, public, self.content = self._asked()
        require_answer(data, self.model or None)
        self.slices = shards(len(public), self.parts)
        self.next(self.answer, foreach="slices")

    @resources(cpu=2, memory=8_192)
    @step
    @in_a_sentence
    def answer(self) -> None:
        """Continue one part."""
        (start, stop), (data, public) = self.input, self._opened()
        with self._depot().writing(f"{self.place}/{start}") as folder:
            model = self.model or None
            write_part(data, public, folder / "part.csv", start, stop, model)
        self.next(self.merge)

    @resources(cpu=1, memory=4_096)
    @step
    @in_a_sentence
    def merge(self, inputs: Any) -> None:
        """Put the parts together, and check the whole."""
        self.merge_artifacts(inputs, include=["place", "content", "slices"])
        store, (data, public) = self._depot(), self._opened()
        parts = [store.reading(f"{self.place}/{start}") / "part.csv" for start, _ in self.slices]
        with delivered(self.out) as file:
            written = merge_parts(data, public, parts, file, self.team, self.email)
        self.written = asdict(written)
        sys.stdout.write(f"{self.out}: {written.sentence(self.dataset)}\n")
        self.next(self.end)

    @resources(cpu=1, memory=4_096)
    @step
    @in_a_sentence
    def end(self) -> None:
        """Let go of the parts."""
        self._depot().delete(self.place)

    def _depot(self) -> Depot:
        return shared(self.store)

    def _opened(self) -> tuple[Dataset, PublicChallenge]:
        """What is asked for, as it was when the run began."""
        data, public, found = self._asked()
        require_unchanged(self.dataset, self.content, found)
        return data, public

    def _asked(self) -> tuple[Dataset, PublicChallenge, dict[str, Any]]:
        data = Dataset(self._depot().reading(self.dataset, (*TABLES, *ANSWERING)))
        with tempfile.TemporaryDirectory() as scratch:
            file = fetched(self.challenge, Path(scratch))
            return data, require_challenge(data, file), content_to_answer(data, file)


if __name__ == "__main__":
    SegueBatchFlow()

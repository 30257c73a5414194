"""Continue a large file of queries as a Metaflow flow: parts of it side by side, then one file.

`python -m core flow batch run --store FOLDER --dataset NAME --challenge FILE --out FILE` writes
what `python -m core submit` writes, byte for byte.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metaflow import FlowSpec, Parameter, current, resources, step

from core.dataset.dataset import Dataset
from core.evaluation.challenge import PublicChallenge
from core.evaluation.shards import shards
from core.training.depot import (
    Depot,
    delivered,
    fetched,
    require_writable,
    shared,
    usual_store,
)
from core.training.pipeline import content_to_answer, require_unchanged
from core.training.servable import ANSWERING, TABLES
from core.training.submit import merge_parts, require_challenge, write_part


class SegueBatchFlow(FlowSpec):
    """Continue every playlist of a challenge file with 500 tracks."""

    dataset = Parameter("dataset", required=True, help="Its name in the store.")
    challenge = Parameter("challenge", required=True, help="Challenge file, or its S3 address.")
    out = Parameter("out", required=True, help="CSV to write, or its S3 address.")
    store = Parameter(
        "store",
        default=usual_store(),
        help="Workspace folder, such as one that the pipeline built, or s3://bucket/prefix.",
    )
    model = Parameter("model", default="", help="What answers; the default where empty.")
    parts = Parameter("parts", default=8, help="Of the file, at most.")
    team = Parameter("team", default="segue", help="Name in the first row.")
    email = Parameter("email", default="segue@example.org", help="Address in the first row.")

    @resources(cpu=1, memory=4_000)
    @step
    def start(self) -> None:
        """Read the file, and cut it."""
        require_writable(self.out)
        self.place = f".batch/{current.run_id}"
        _, public, self.content = self._asked()
        self.slices = shards(len(public), self.parts)
        self.next(self.answer, foreach="slices")

    @resources(cpu=2, memory=8_000)
    @step
    def answer(self) -> None:
        """Continue one part."""
        (start, stop), (data, public) = self.input, self._opened()
        with self._depot().writing(f"{self.place}/{start}") as folder:
            model = self.model or None
            write_part(data, public, folder / "part.csv", start, stop, model)
        self.next(self.merge)

    @resources(cpu=1, memory=4_000)
    @step
    def merge(self, inputs: Any) -> None:
        """Put the parts together, and check the whole."""
        self.merge_artifacts(inputs, include=["place", "content", "slices"])
        store, (data, public) = self._depot(), self._opened()
        parts = [store.reading(f"{self.place}/{start}") / "part.csv" for start, _ in self.slices]
        with delivered(self.out) as file:
            written = merge_parts(data, public, parts, file, self.team, self.email)
        self.written = asdict(written)
        self.next(self.end)

    @resources(cpu=1, memory=1_000)
    @step
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

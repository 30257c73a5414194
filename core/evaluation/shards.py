"""A challenge measured in parts, on several machines, and put together as if it were in one.

A part is whole batches (`challenge.BATCH`), so that every list is computed from the same numbers
in the same order as without parts, and all figures come out equal to the last digit. Only times
differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from core.errors import SegueError
from core.evaluation.challenge import BATCH
from core.evaluation.leaderboard import Measured, System
from core.workspace import load_arrays, read_json, save_arrays, write_json


def shards(length: int, most: int) -> list[tuple[int, int]]:
    """Start and end of parts that are whole batches, as equal as can be.

    Parameters
    ----------
    length : int
        Queries.
    most : int
        Parts at most, 1 or more; there are no more than batches.
    """
    batches = -(-length // BATCH)
    count = max(1, min(most, batches))
    ends = [min(length, BATCH * (batches * at // count)) for at in range(count + 1)]
    return [*pairwise(ends)]


@dataclass(frozen=True)
class Part:
    """What was measured on some playlists of a challenge, side by side in its order.

    Attributes
    ----------
    measured : sequence of Measured
        One a system.
    dials : int32 array, shape (n_settings, B, 500)
        See `dials.dial_lists`.
    lean : mapping of model name to int32 array, shape (n_settings, B, 20)
        See `lean.lean_lists`.
    """

    measured: Sequence[Measured]
    dials: np.ndarray
    lean: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return self.dials.shape[1]

    def save(self, folder: Path) -> None:
        """Write as plain arrays and JSON; what the systems are is not written."""
        save_arrays(folder, {"dials": self.dials})
        save_arrays(folder / "lean", self.lean)
        for one in self.measured:
            inside = folder / "systems" / one.system.name
            save_arrays(inside, {"candidates": one.candidates, "lists": one.lists})
            save_arrays(inside / "values", one.values)
        stored = {
            "metrics": [*self.measured[0].values],
            "lean": [*self.lean],
            "times": {
                one.system.name: [one.milliseconds, one.milliseconds_alone] for one in self.measured
            },
        }
        write_json(folder / "part.json", stored)

    @classmethod
    def load(cls, folder: Path, systems: Sequence[System]) -> "Part":
        """Read what `save` wrote, of these systems.

        Raises
        ------
        SegueError
            If the folder is damaged, or of other systems.
        """
        stored = read_json(folder / "part.json")
        times = stored["times"]
        if set(times) != {system.name for system in systems}:
            raise SegueError(f"{folder} was measured with other systems: measure it again.")
        measured = []
        for system in systems:
            inside = folder / "systems" / system.name
            lists, values = load_arrays(inside), load_arrays(inside / "values")
            measured.append(
                Measured(
                    system,
                    # In their order: sums over columns in another one differ in the last digit.
                    {name: values[name] for name in stored["metrics"]},
                    lists["candidates"],
                    lists["lists"],
                    *times[system.name],
                )
            )
        lean = load_arrays(folder / "lean")
        ordered = {name: lean[name] for name in stored["lean"]}
        return cls(measured, load_arrays(folder)["dials"], ordered)


def joined(parts: Sequence[Part]) -> Part:
    """The parts of a challenge as one, in the order of its playlists.

    Times are means over the playlists (those of a query alone, too).
    """
    sizes = [len(part) for part in parts]
    systems = zip(*(part.measured for part in parts), strict=True)
    return Part(
        [_joined(each, sizes) for each in systems],
        np.concatenate([part.dials for part in parts], axis=1),
        {
            name: np.concatenate([part.lean[name] for part in parts], axis=1)
            for name in parts[0].lean
        },
    )


def _joined(parts: Sequence[Measured], sizes: Sequence[int]) -> Measured:
    """What one system did on all parts."""
    return replace(
        parts[0],
        values={
            name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values
        },
        candidates=np.concatenate([part.candidates for part in parts]),
        lists=np.concatenate([part.lists for part in parts]),
        milliseconds=float(np.average([part.milliseconds for part in parts], weights=sizes)),
        milliseconds_alone=float(
            np.average([part.milliseconds_alone for part in parts], weights=sizes)
        ),
    )

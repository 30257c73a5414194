"""Models fitted without the held-out playlists: what an evaluation measures, in one go or in parts.

They can be stored, so that several machines measure the same models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import Challenge, split
from core.evaluation.leaderboard import System
from core.progress import SILENT, Progress
from core.ranking.ranker import LABEL, RANKER, Ranker
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS, REFERENCES
from core.retrieval.base import Queries, Recommendations, RetrievalModel
from core.training.crossfit import working
from core.training.ranking import train_ranker
from core.training.train import fit
from core.workspace import read_json, write_json

Settings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Held:
    """Which playlists an evaluation holds out.

    Attributes
    ----------
    holdout : int
        Test playlists.
    seed : int
        Of the split and of the models.
    on_validation : bool
        Whether as many again are held out and measured on instead.
    """

    holdout: int
    seed: int = 0
    on_validation: bool = False

    def parts(self, dataset: Dataset) -> tuple[Dataset, Challenge]:
        """What is learnt from, and what is measured on.

        Raises
        ------
        SegueError
            If too few playlists can be held out.
        """
        validation = self.holdout if self.on_validation else 0
        parts = split(dataset, self.holdout, self.seed, validation)
        return parts.train, parts.validation or parts.test


@dataclass(frozen=True)
class Fitted:
    """Models fitted on what is not held out, and what they cost.

    Attributes
    ----------
    train : Dataset
        What they were fitted on.
    challenge : Challenge
        What they are measured on.
    settings : mapping of name to settings
        Of the models, and of the ranker where there is one.
    models : mapping of name to RetrievalModel
    references : mapping of name to RetrievalModel
        The same with a package's defaults (`REFERENCES`), for those that have any.
    ranker : Ranker or None
    costs : mapping of system name to (float, int)
        Seconds of the fit, and its peak memory in bytes.
    default : str or None
        What answers by default, see `Recommender`.
    """

    train: Dataset
    challenge: Challenge
    settings: Settings
    models: Mapping[str, RetrievalModel]
    references: Mapping[str, RetrievalModel]
    ranker: Ranker | None
    costs: Mapping[str, Sequence[float]]
    default: str | None

    @cached_property
    def recommender(self) -> Recommender:
        """The models composed, as they are in the app."""
        return Recommender(self.train, self.models, self.ranker, default=self.default)

    @cached_property
    def systems(self) -> list[System]:
        """What is measured: the models, their references, the fusion of all, and the ranker."""
        systems = [
            _system(name, MODELS[name].label, model, self.costs[name], model.retrieves)
            for name, model in self.models.items()
        ]
        systems += [
            _system(
                reference_name(name),
                REFERENCES[name][0],
                model,
                self.costs[reference_name(name)],
                False,
            )
            for name, model in self.references.items()
        ]
        spent = sum(one.fit_seconds or 0 for one in systems if one.retrieves)
        systems.append(self._together(FUSION, "Fusion of all", spent))
        if self.ranker:
            systems.append(self._together(RANKER, LABEL, spent + self.costs[RANKER][0]))
        return systems

    def _together(self, name: str, label: str, fit_seconds: float) -> System:
        def recommend(queries: Queries, k: int) -> Recommendations:
            return self.recommender.recommend(queries, k, name)

        reads_titles = any(model.uses_titles for model in self.models.values())
        return System(name, label, recommend, fit_seconds, reads_titles=reads_titles)


def reference_name(name: str) -> str:
    """What a model with its package's defaults is called among the systems."""
    return f"{name}_defaults"


def _system(
    name: str, label: str, model: RetrievalModel, cost: Sequence[float], retrieves: bool
) -> System:
    return System(
        name,
        label,
        model.recommend,
        cost[0],
        int(cost[1]),
        retrieves=retrieves,
        reads_titles=model.uses_titles,
    )


def fit_held_out(
    dataset: Dataset,
    held: Held,
    settings: Settings,
    default: str | None = None,
    progress: Progress = SILENT,
) -> Fitted:
    """Fit models, and the ranker of these where it is among them, without the held-out playlists.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    held : Held
    settings : mapping of name to settings
        Models of the registry, in its order, and the ranker.
    default : str, optional
        What answers by default, see `Recommender`.
    progress : Progress

    Raises
    ------
    SegueError
        If too few playlists can be held out, a package that fits a model is missing, or another
        process trains the same ranker.
    """
    train, challenge = held.parts(dataset)
    models, references, costs = _fit(train, settings, held.seed, progress.within(0, 0.4, ""))
    ranker = None
    if RANKER in settings:
        sources = {name: settings[name] for name, model in models.items() if model.retrieves}
        params, part = Ranker.Params(**settings[RANKER]), progress.within(0.4, 1, "")
        began = perf_counter()
        with working(train, sources, params, held.seed) as work:
            ranker = train_ranker(train, sources, work, params, held.seed, part)
        costs[RANKER] = (perf_counter() - began, 0)
    return Fitted(train, challenge, settings, models, references, ranker, costs, default)


def _fit(
    train: Dataset, settings: Settings, seed: int, progress: Progress
) -> tuple[dict[str, RetrievalModel], dict[str, RetrievalModel], dict[str, Sequence[float]]]:
    """The models and their references by name, and what each system cost."""
    plan = [(name, name, params) for name, params in settings.items() if name != RANKER]
    plan += [
        (reference_name(name), name, params)
        for name, (_, params) in REFERENCES.items()
        if name in settings
    ]
    models: dict[str, RetrievalModel] = {}
    references: dict[str, RetrievalModel] = {}
    costs: dict[str, Sequence[float]] = {}
    before = psutil.Process().memory_info().rss
    for at, (system, name, params) in enumerate(plan):
        part = progress.within(at / len(plan), (at + 1) / len(plan), MODELS[name].label)
        held = max(0, psutil.Process().memory_info().rss - before)
        model, card = fit(name, MODELS[name].Params(**params), train, seed, part)
        (models if system == name else references)[name] = model
        # Without the models that were fitted before and are still held.
        costs[system] = (card.seconds, int(card.peak_mb * 1e6) - held)
    return models, references, costs


def store_fitted(fitted: Fitted, held: Held, folder: Path) -> None:
    """Write everything that `load_fitted` needs besides the dataset; no pickle."""
    for name, model in fitted.models.items():
        model.save(folder / "models" / name)
    for name, model in fitted.references.items():
        model.save(folder / "references" / name)
    if fitted.ranker:
        (folder / RANKER).mkdir()
        fitted.ranker.save(folder / RANKER)
    stored = {
        "fingerprint": fitted.train.manifest["fingerprint"],
        "held": asdict(held),
        "settings": {name: dict(params) for name, params in fitted.settings.items()},
        "references": [*fitted.references],
        "costs": dict(fitted.costs),
        "default": fitted.default,
    }
    write_json(folder / "fitted.json", stored)


def load_fitted(folder: Path, dataset: Dataset) -> Fitted:
    """Read what `store_fitted` wrote of this dataset.

    Raises
    ------
    SegueError
        If the folder is damaged, or of other playlists.
    """
    stored = read_json(folder / "fitted.json")
    if stored["fingerprint"] != dataset.manifest["fingerprint"]:
        raise SegueError(f"{folder} was fitted on other playlists than {dataset.name!r} holds.")
    settings = stored["settings"]
    train, challenge = Held(**stored["held"]).parts(dataset)

    def loaded(kind: str, names: Sequence[str]) -> dict[str, RetrievalModel]:
        return {name: MODELS[name].load(folder / kind / name, train) for name in names}

    return Fitted(
        train,
        challenge,
        settings,
        loaded("models", [name for name in settings if name != RANKER]),
        loaded("references", stored["references"]),
        Ranker.load(folder / RANKER) if RANKER in settings else None,
        stored["costs"],
        stored["default"],
    )

"""What a comparison of quality may name: our models, and their peers."""

from dataclasses import dataclass
from typing import Any

from core.bench.peers import PEERS, family_of
from core.errors import SegueError
from core.ranking.ranker import RANKER, Ranker
from core.retrieval import MODELS
from core.retrieval.base import RetrievalModel
from core.training.train import chosen_models, preset_params


@dataclass(frozen=True)
class Contender:
    """A model to be fitted and measured.

    Attributes
    ----------
    name : str
        Distinct in a run.
    label : str
        Name that a person reads.
    model : type of RetrievalModel
        Importable, so that another process can fit it.
    params : its Params
    family : str or None
        Ours are compared with the peers of their family.
    peer : bool
        Whether it is not ours.
    """

    name: str
    label: str
    model: type[RetrievalModel]
    params: Any
    family: str | None = None
    peer: bool = False


def our_contenders(names: str = "all", preset: str = "full") -> list[Contender]:
    """Models of the registry under a preset, "full" being the settings that validation chose.

    Raises
    ------
    SegueError
        If a model or the preset does not exist.
    """
    return [
        Contender(name, MODELS[name].label, MODELS[name], preset_params(name, preset), family)
        for name, family in ((name, family_of(name)) for name in chosen_models(names))
        if name != RANKER
    ]


def our_ranker(names: str = "all", preset: str = "full") -> Ranker.Params | None:
    """Settings of the ranker under a preset where names include it; None where they do not."""
    return preset_params(RANKER, preset) if RANKER in chosen_models(names) else None


def peer_contenders(names: str = "all") -> list[Contender]:
    """Peers from "a,b", "all" or "none", in the order of `PEERS`.

    Raises
    ------
    SegueError
        If there is no such peer.
    """
    wanted = {"all": list(PEERS), "none": []}.get(
        names, [name.strip() for name in names.split(",")]
    )
    unknown = [name for name in wanted if name not in PEERS]
    if unknown:
        raise SegueError(f"There is no peer {', '.join(unknown)}; there are {', '.join(PEERS)}.")
    return [
        Contender(name, peer.label, peer.model, peer.params, peer.family, peer=True)
        for name, peer in PEERS.items()
        if name in wanted
    ]

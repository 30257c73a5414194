"""What is asked of a source, id by id: by the batch where the app may, else one by one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.progress import Progress
from core.spotify.client import MOST_IDS
from core.spotify.enrichment.answers import artist_answer, track_answer
from core.spotify.enrichment.features import FeatureSource
from core.spotify.enrichment.notebook import Answer, Notebook
from core.spotify.errors import ForbiddenError, NotFoundError, RefusedError


@dataclass(frozen=True)
class Lookup:
    """One way to ask.

    Attributes
    ----------
    endpoint : str
        What a source may refuse an app, for a person.
    most_ids : int
        Of one request.
    ask : callable
        From so many ids to answers by id; an id of which nothing is known may be left out.
    """

    endpoint: str
    most_ids: int
    ask: Callable[[Sequence[str]], Mapping[str, Answer]]


@dataclass(frozen=True)
class Question:
    """What is asked of a source.

    Attributes
    ----------
    source : str
        For a person.
    about : str
        What is asked, for a person.
    lookups : tuple of Lookup
        Ways to ask, the best first.
    """

    source: str
    about: str
    lookups: tuple[Lookup, ...]

    @property
    def name(self) -> str:
        """By which the notebook knows it."""
        return f"{self.source}: {self.about}"

    def open_to(self, app: str, notebook: Notebook) -> list[Lookup]:
        """Ways to ask that are not known to be refused to an app."""
        return [each for each in self.lookups if not notebook.refuses(app, each.endpoint)]


@dataclass(frozen=True)
class Questions:
    """All that a source is asked; tracks and artists only where it knows facts of them."""

    audio_features: Question
    tracks: Question | None = None
    artists: Question | None = None

    def __iter__(self) -> Iterator[Question]:
        return (each for each in (self.tracks, self.artists, self.audio_features) if each)


@dataclass(frozen=True)
class Asked:
    """What became of a question: every id it is about is counted once.

    Attributes
    ----------
    about : str
    known : int
        Ids that were not asked about, since the dataset lacks nothing of theirs.
    answered_before, answered_now : int
        Ids answered in earlier runs, and in this one.
    found : int
        Of those answered now, ids that something is known of.
    left : int
        Ids that were not answered because the source refuses to.
    """

    about: str
    known: int
    answered_before: int
    answered_now: int
    found: int
    left: int

    @property
    def total(self) -> int:
        """Ids that the question is about."""
        return self.known + self.answered_before + self.answered_now + self.left

    def sentence(self, source: str) -> str:
        """What became of it, in counts that add up to the total."""
        if not self.total:
            return f"{source}, {self.about}: there is no id to ask for."
        unknown = self.answered_now - self.found
        parts = {
            "known already": self.known,
            "answered in earlier runs": self.answered_before,
            f"answered now ({self.found:,} found, {unknown:,} unknown there)": self.answered_now,
            "refused": self.left,
        }
        counts = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
        ids = f"{self.total:,} id{'' if self.total == 1 else 's'}"
        return f"{source}, {self.about}: of {ids}, {counts}."


def questions_of(source: FeatureSource) -> Questions:
    """What a source can be asked."""
    name, client = source.origin.source, source.client
    about = "audio features"
    lookup = Lookup(about, source.most_ids, source.audio_features)
    sounds = Question(name, about, (lookup,))
    if client is None:
        return Questions(sounds)
    return Questions(
        sounds,
        tracks=_facts(name, "tracks", client.tracks, client.track, track_answer),
        artists=_facts(name, "artists", client.artists, client.artist, artist_answer),
    )


def _facts(
    source: str,
    about: str,
    many: Callable[[Sequence[str]], Sequence[Any]],
    one: Callable[[str], Any],
    answer: Callable[[Any], Answer],
) -> Question:
    """What is asked of Spotify by the batch, or one by one."""

    def ask_many(ids: Sequence[str]) -> Mapping[str, Answer]:
        return {each: answer(_meant(each, raw)) for each, raw in zip(ids, many(ids), strict=True)}

    def ask_one(ids: Sequence[str]) -> Mapping[str, Answer]:
        return {each: answer(_meant(each, one(each))) for each in ids}

    batches = Lookup(f"{about} by the batch", MOST_IDS, ask_many)
    return Question(source, about, (batches, Lookup(about, 1, ask_one)))


def _meant(id: str, raw: Any) -> Any:  # noqa: A002
    """An answer as one on the id that was asked: another id is of what replaced it."""
    return {**raw, "id": id} if isinstance(raw, Mapping) else raw


def ask(
    question: Question,
    ids: Sequence[str],
    total: int,
    notebook: Notebook,
    app: str,
    progress: Progress,
) -> Asked:
    """Ask what was never answered, and keep each answer as it comes.

    A way to ask that is refused is not tried again for this app; the next one is taken.

    Parameters
    ----------
    question : Question
    ids : sequence of str
        Distinct, the most wanted first.
    total : int
        Of these and of the ids that the dataset lacks nothing of.
    notebook : Notebook
    app : str
        Whom the source answers.
    progress : Progress

    Raises
    ------
    SpotifyError
        If the source cannot be asked any more; what was answered is kept.
    """
    todo = notebook.unanswered(question.name, ids)
    before, at, found = len(ids) - len(todo), 0, 0
    label = f"Asking {question.source} for {question.about}"
    ways = question.open_to(app, notebook)
    while at < len(todo) and ways:
        progress.update(label, (before + at) / len(ids))
        part = todo[at : at + ways[0].most_ids]
        try:
            answers = _answers(ways[0], part)
        except (ForbiddenError, NotFoundError):  # the latter where an endpoint was removed
            notebook.refuse(app, ways[0].endpoint)
            ways = question.open_to(app, notebook)
            continue
        notebook.keep(question.name, {each: answers.get(each, {}) for each in part})
        at += len(part)
        found += sum(bool(answers.get(each)) for each in part)
    return Asked(question.about, total - len(ids), before, at, found, len(todo) - at)


def refused(questions: Iterable[Question], notebook: Notebook, app: str) -> tuple[str, ...]:
    """What of these questions is refused to an app."""
    lookups = [lookup for question in questions for lookup in question.lookups]
    return tuple(each.endpoint for each in lookups if notebook.refuses(app, each.endpoint))


def _answers(lookup: Lookup, ids: Sequence[str]) -> Mapping[str, Answer]:
    """The answers to one request, or to more where an id among them is none to the source."""
    try:
        return lookup.ask(ids)
    except NotFoundError:
        if lookup.most_ids > 1:
            raise
        return {}
    except RefusedError as error:
        if error.status != 400:
            raise
        if len(ids) == 1:
            return {}
        half = len(ids) // 2
        return {**_answers(lookup, ids[:half]), **_answers(lookup, ids[half:])}

"""A dataset of the fake's tracks, in which nothing else is known of them yet."""

import pytest

from core.dataset.dataset import Dataset
from core.workspace import Workspace
from tests.conftest import MakeDataset
from tests.spotify.enrichment.enriching import copied, dataset_of, fill
from tests.spotify.fake import Fake


@pytest.fixture(scope="session")
def original(make_dataset: MakeDataset) -> Dataset:
    """The dataset; not to be changed."""
    return dataset_of(make_dataset)


@pytest.fixture
def workspace(original: Dataset, tmp_path) -> Workspace:
    """A workspace with a copy."""
    return copied(original, tmp_path / "workspace")


@pytest.fixture
def fake(fake: Fake) -> Fake:
    """With those tracks."""
    fill(fake)
    return fake

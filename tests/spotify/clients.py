"""What tests of the client share."""

from dataclasses import replace

from core.spotify.health import Patience
from tests.spotify.conftest import QUICK

NOWHERE = "0" * 22
WAITING = replace(QUICK, longest_wait_s=60)


def patience_for(fault) -> Patience:
    """Little patience, and the less where nothing is ever answered."""
    return replace(QUICK, timeout_s=0.2) if fault == "timeout" else QUICK


def asked(fake, path="/v1/"):
    """The requests below a path."""
    return [request for request in fake.requests if request.path.startswith(path)]

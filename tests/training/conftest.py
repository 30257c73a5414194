"""A stand-in for S3 on this machine."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from urllib.request import urlopen

import pytest

NAME = "segue-test"


@pytest.fixture(scope="session")
def bucket() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Address of an empty bucket in moto's server, and the environment that leads there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "METAFLOW_S3_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    try:
        import boto3

        _await(endpoint)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            region = {"LocationConstraint": environment["AWS_DEFAULT_REGION"]}
            client = boto3.client("s3", endpoint_url=endpoint)
            client.create_bucket(Bucket=NAME, CreateBucketConfiguration=region)
            yield f"s3://{NAME}", environment
    finally:
        server.kill()
        server.wait()


def _await(endpoint: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(f"{endpoint}/moto-api/data.json", timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return

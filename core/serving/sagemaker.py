"""An endpoint on Amazon SageMaker, from the project's own container.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from core.errors import SegueError

INSTANCE = "ml.m5.large"
_NAME = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,41}")
"""Of an endpoint: AWS takes 63 characters, of which a configuration's time stamp needs 21."""
_BEFORE = "segue:before"
"""Tag of a configuration: the one that it took the place of, empty if there was none."""
_ACCEPTED = "segue:accepted"
"""Tag of a configuration that passed its check."""
_CHANGING = ("CreateEndpoint", "UpdateEndpoint")
"""Requests that change nothing where AWS refuses them."""


@dataclass(frozen=True)
class Account:
    """What SageMaker needs to know besides the models.

    Attributes
    ----------
    image : str
        The container in a registry that SageMaker reads.
    role : str
        ARN of the role that the endpoint runs as.
    bucket : str
        S3 bucket for the packed models.
    instance : str
        Kind of machine.
    """

    image: str
    role: str
    bucket: str
    instance: str = INSTANCE

    @classmethod
    def of_environment(cls) -> "Account":
        """From SEGUE_IMAGE, SEGUE_ROLE, SEGUE_BUCKET and SEGUE_INSTANCE; empty where not set."""
        said = {one.name: os.environ.get(f"SEGUE_{one.name.upper()}", "") for one in fields(cls)}
        return cls(**said | {"instance": said["instance"] or INSTANCE})

    def require(self) -> None:
        """Raise a SegueError unless everything is said."""
        if missing := [f"SEGUE_{name.upper()}" for name, said in vars(self).items() if not said]:
            raise SegueError(f"SageMaker needs to be told {', '.join(missing)}.")


class SageMakerTarget:
    """One SageMaker endpoint; see `endpoint.Target`.

    An endpoint has a configuration, which names a model; each `deploy` makes new ones and points
    the endpoint to them. A release's id is its configuration's name; a tag names the one before,
    another says that it was accepted. Models, configurations and archives that are not in use cost
    (next to) nothing and are left. Region, credentials and other addresses are boto3's own matter
    (AWS_DEFAULT_REGION, AWS_ENDPOINT_URL…).

    Parameters
    ----------
    name : str
        Of the endpoint.
    account : Account
        Only `deploy` asks for it.
    """

    def __init__(self, name: str, account: Account) -> None:
        if not _NAME.fullmatch(name):
            raise SegueError(
                f"{name!r} cannot name a SageMaker endpoint: use 1 to 42 letters and digits, with "
                "single dashes between."
            )
        self._name, self._account = name, account

    @property
    def address(self) -> str | None:
        """Where SageMaker's runtime answers signed requests."""
        with self._sentences():
            if self._endpoint() is None:
                return None
            host = boto3.client("sagemaker-runtime").meta.endpoint_url
        return f"{host}/endpoints/{self._name}/invocations"

    @property
    def release(self) -> str | None:
        """Name of the configuration that the endpoint has now."""
        with self._sentences():
            now = self._endpoint()
            return now["EndpointConfigName"] if now else None

    def alone(self) -> AbstractContextManager[None]:
        """Nothing can be held: ids of releases keep two from settling each other's."""
        return nullcontext()

    def require_told(self) -> None:
        """Raise a SegueError unless the account is complete."""
        self._account.require()

    def deploy(self, folder: Path) -> str:
        """Pack and upload the models, and point the endpoint to them."""
        self.require_told()
        with self._sentences():
            now = self._endpoint()
            if now and now["EndpointStatus"] == "Failed":  # which can only be deleted
                self.stop()
                now = None
            before = self._accepted(now["EndpointConfigName"]) if now else ""
            made = self._configure(folder, before)
            try:
                self._point_to(made)
            except BaseException as error:  # whoever interrupts the wait does not want the change
                if getattr(error, "operation_name", "") not in _CHANGING:  # else AWS refused it
                    self._take_back(made, before)
                raise
        return made

    def invoke(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The endpoint's answer through SageMaker's runtime."""
        with self._sentences():
            answer = boto3.client("sagemaker-runtime").invoke_endpoint(
                EndpointName=self._name,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps(body).encode(),
            )
            content = answer["Body"].read()
        try:
            decoded: dict[str, Any] = json.loads(content)
            return decoded
        except ValueError as error:
            raise self._problem("it answers what is no JSON") from error

    def accept(self, release: str) -> None:
        """Mark the configuration: what answered before costs nothing and is left."""
        with self._sentences():
            self._require(release)
            tags = [{"Key": _ACCEPTED, "Value": "yes"}]
            self._sagemaker.add_tags(ResourceArn=self._arn(release), Tags=tags)

    def roll_back(self, release: str) -> None:
        """Point the endpoint to the configuration before; delete it where there was none."""
        with self._sentences():
            self._require(release)
            tags = self._tags(release)
            if _BEFORE not in tags:
                raise self._problem("it was deployed by something else, so it is not rolled back")
            if _ACCEPTED in tags:
                raise self._problem("what was accepted is not rolled back: release something else")
            if before := tags[_BEFORE]:
                self._point_to(before)
            else:
                self.stop()

    def stop(self) -> None:
        """Delete the endpoint, and wait until it is gone."""
        with self._sentences():
            self._sagemaker.delete_endpoint(EndpointName=self._name)
            self._sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=self._name)

    @cached_property
    def _sagemaker(self) -> Any:
        return boto3.client("sagemaker")

    def _endpoint(self) -> dict[str, Any] | None:
        """AWS's description; None where there is no endpoint."""
        pages = self._sagemaker.get_paginator("list_endpoints").paginate(NameContains=self._name)
        names = [one["EndpointName"] for page in pages for one in page["Endpoints"]]
        if self._name not in names:
            return None
        described: dict[str, Any] = self._sagemaker.describe_endpoint(EndpointName=self._name)
        return described

    def _configure(self, folder: Path, before: str) -> str:
        """A new configuration for the models of a folder; its name."""
        stamped = f"{self._name}-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        container = {"Image": self._account.image, "ModelDataUrl": self._upload(folder, stamped)}
        self._sagemaker.create_model(
            ModelName=stamped, PrimaryContainer=container, ExecutionRoleArn=self._account.role
        )
        variant = {
            "VariantName": "all",
            "ModelName": stamped,
            "InitialInstanceCount": 1,
            "InstanceType": self._account.instance,
        }
        self._sagemaker.create_endpoint_config(
            EndpointConfigName=stamped,
            ProductionVariants=[variant],
            Tags=[{"Key": _BEFORE, "Value": before}],
        )
        return stamped

    def _upload(self, folder: Path, stamped: str) -> str:
        key = f"{self._name}/{stamped}/model.tar.gz"
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "model.tar.gz"
            pack(folder, file)
            boto3.client("s3").upload_file(str(file), self._account.bucket, key)
        return f"s3://{self._account.bucket}/{key}"

    def _point_to(self, configuration: str) -> None:
        """Create or update the endpoint, and wait until it serves by a configuration."""
        asked = {"EndpointName": self._name, "EndpointConfigName": configuration}
        if self._endpoint() is None:
            self._sagemaker.create_endpoint(**asked)
        else:
            self._sagemaker.update_endpoint(**asked)
        now = self._settled()
        status = now["EndpointStatus"]
        # An update that fails ends in service too: AWS goes back to the configuration before.
        if status != "InService" or now["EndpointConfigName"] != configuration:
            why = now.get("FailureReason") or f"its status is {status}"
            raise self._problem(f"it did not come up: {why}")

    def _take_back(self, made: str, before: str) -> None:
        """Have the endpoint serve by the configuration before one that is not to be served.

        AWS lets no endpoint be changed or deleted while a change is under way, so this one is
        waited for, to its good or bad end.
        """
        try:
            with self._sentences():
                now = self._settled()
                failed = now["EndpointStatus"] == "Failed"
                if now["EndpointConfigName"] != made and not failed:  # AWS went back by itself
                    return
                if failed or not before:
                    self.stop()
                if before:
                    self._point_to(before)
        except SegueError as problem:
            raise self._problem(
                f"configuration {made} was not checked, and could not be taken back ({problem})"
            ) from problem

    def _settled(self) -> dict[str, Any]:
        """AWS's description of the endpoint when no change is under way any more."""
        with suppress(WaiterError):  # the description says how it ended
            self._sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=self._name)
        return self._endpoint() or {"EndpointStatus": "deleted", "EndpointConfigName": ""}

    def _require(self, release: str) -> None:
        """Raise a SegueError unless this is the release that answers."""
        if self.release != release:
            raise self._problem("another release took the place of this one; it stays as it is")

    def _accepted(self, configuration: str) -> str:
        """The configuration itself, or the one before if it is of an open release."""
        tags = self._tags(configuration)
        return configuration if _ACCEPTED in tags else tags.get(_BEFORE, configuration)

    def _tags(self, configuration: str) -> dict[str, str]:
        found = self._sagemaker.list_tags(ResourceArn=self._arn(configuration))["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def _arn(self, configuration: str) -> str:
        described = self._sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
        arn: str = described["EndpointConfigArn"]
        return arn

    def _problem(self, what: str) -> SegueError:
        return SegueError(f"SageMaker endpoint {self._name}: {what.strip().rstrip('.')}.")

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """What AWS refuses, as one sentence."""
        try:
            yield
        except ClientError as error:
            said = error.response.get("Error", {}).get("Message") or str(error)
            raise self._problem(said) from error
        except (BotoCoreError, Boto3Error) as error:
            raise self._problem(str(error)) from error


def pack(folder: Path, file: Path) -> None:
    """Write a servable folder as SageMaker unpacks it into /opt/ml/model."""
    with tarfile.open(file, "w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parent.parts)
            if path.is_file() and not hidden and path.suffix != ".lock":
                archive.add(path, inside.as_posix(), filter=_readable)


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """As the container's own user may read it, whoever wrote it here."""
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o644, 0, 0, "", ""
    return entry

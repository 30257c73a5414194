"""Deploy, check and roll back on moto's SageMaker and S3, over a socket."""

import base64
import io
import json
import shutil
import tarfile
from pathlib import Path

import boto3
import pytest
import requests
from botocore.exceptions import EndpointConnectionError, WaiterError
from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.models import SageMakerRuntimeBackend
from moto.server import ThreadedMotoServer

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.query import answer
from core.serving.endpoint import check, release, servable
from core.serving.known import CHECKED, known_queries
from core.serving.sagemaker import Account, SageMakerTarget, pack
from core.serving.schema import QueryIn, prediction
from core.trained import set_default

ACCOUNT = Account(
    "000000000000.dkr.ecr.us-east-1.amazonaws.com/segue:1",
    "arn:aws:iam::0:role/x" + "y" * 20,
    "models",
)
REGION, OWNER = "us-east-1", "123456789012"


def update_endpoint(self) -> ActionResult:
    """SageMaker's UpdateEndpoint, which moto lacks."""
    backend = sagemaker_backends[self.current_account][self.region]
    endpoint = backend.endpoints[self._get_param("EndpointName")]
    wanted = self._get_param("EndpointConfigName")
    backend.describe_endpoint_config(wanted)
    if endpoint.endpoint_status != "InService":
        raise AWSValidationException("Cannot update in-progress endpoint.")
    endpoint.endpoint_config_name = wanted
    return ActionResult({"EndpointArn": endpoint.arn})


@pytest.fixture(scope="module")
def moto_server():
    patch = pytest.MonkeyPatch()
    patch.setattr(SageMakerResponse, "update_endpoint", update_endpoint, raising=False)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    patch.undo()


@pytest.fixture
def aws(moto_server, monkeypatch) -> str:
    """The address of an empty account with a bucket; boto3 is led there."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{moto_server}/moto-api/reset", timeout=30)
    boto3.client("s3").create_bucket(Bucket=ACCOUNT.bucket)
    return moto_server


@pytest.fixture
def container(aws, monkeypatch, tmp_path):
    """Invocations are answered from the archive that the endpoint's configuration leads to."""

    def invoke(*_, unique_repr, **__):
        backend = sagemaker_backends[OWNER][REGION]
        (endpoint,) = backend.endpoints.values()
        configuration = endpoint.endpoint_config_name
        variant = backend.endpoint_configs[configuration].production_variants[0]
        url = backend._models[variant["ModelName"]].primary_container["ModelDataUrl"]
        folder = tmp_path / configuration
        if not folder.exists():
            unpack(url, folder)
        body = json.loads(json.loads(base64.b64decode(unique_repr))["Body"])
        return json.dumps(answered(folder, body)), "application/json", "all", ""

    monkeypatch.setattr(SageMakerRuntimeBackend, "invoke_endpoint", invoke)


def unpack(url: str, folder: Path) -> None:
    bucket, key = url.removeprefix("s3://").split("/", 1)
    stored = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(stored)) as archive:
        archive.extractall(folder, filter="data")


def answered(folder: Path, body) -> dict:
    if "instances" in body:
        return {"predictions": [answered(folder, one) for one in body["instances"]]}
    here = servable(folder)
    query = QueryIn.model_validate(body).query(here.dataset, here.matcher)
    return prediction(answer(here.recommender, query)).model_dump()


@pytest.fixture(scope="module")
def other(served, tmp_path_factory) -> Path:
    """The same dataset, answering by another model."""
    folder = tmp_path_factory.mktemp("other") / "other"
    shutil.copytree(served.folder, folder)
    set_default(Dataset(folder / "planted"), "popularity")
    return folder


@pytest.fixture
def target(aws) -> SageMakerTarget:
    return SageMakerTarget("segue", ACCOUNT)


def configuration(name="segue") -> str | None:
    """What an endpoint is pointed to."""
    there = sagemaker_backends[OWNER][REGION].endpoints
    return there[name].endpoint_config_name if name in there else None


def accept(target, folder) -> None:
    """Bring an endpoint up that is not checked."""
    target.accept(target.deploy(folder))


def test_an_endpoint_is_created_then_updated(container, target, served, other):
    assert target.address is None
    accept(target, served.folder)
    first = configuration()
    assert target.address.endswith("/endpoints/segue/invocations")
    report = release(target, other)
    assert (report.asked, report.wrong) == (CHECKED, [])
    assert configuration() not in (first, None)

    client = boto3.client("sagemaker")
    described = client.describe_endpoint_config(EndpointConfigName=configuration())
    (variant,) = described["ProductionVariants"]
    assert variant["InstanceType"] == ACCOUNT.instance
    model = client.describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["Image"] == ACCOUNT.image
    assert model["ExecutionRoleArn"] == ACCOUNT.role


def test_canned_answers_that_are_right_pass(aws, target, served):
    bodies = halves(known_queries(servable(served.folder)))
    can(aws, [json.dumps(answered(served.folder, body)) for body in bodies])
    assert release(target, served.folder).wrong == []


def halves(bodies):
    """As a check asks them: the first half one by one, the other in one batch."""
    middle = len(bodies) // 2
    return [*bodies[:middle], {"instances": bodies[middle:]}]


def test_what_is_no_continuation_or_no_json_is_wrong(aws, target, served):
    target.deploy(served.folder)
    can(aws, ["[]", '{"tracks": "many"}'])  # then moto's own answer, the word "body"
    said = check(target, served.folder).wrong
    assert len(said) == CHECKED
    assert all("something else than a continuation" in one for one in said[:2])
    assert all("it answers what is no JSON" in one for one in said[2:])


def can(aws: str, bodies: list[str]) -> None:
    """Queue answers of SageMaker's runtime."""
    results = [{"Body": body, "ContentType": "application/json"} for body in bodies]
    address = f"{aws}/moto-api/static/sagemaker/endpoint-results"
    requests.post(address, json={"results": results}, timeout=30).raise_for_status()


def test_a_failed_check_brings_back_the_configuration_before(
    container, target, served, monkeypatch
):
    accept(target, served.folder)
    first = configuration()
    monkeypatch.setattr("core.serving.known.answer", wrongly)  # so that the container's differ
    with pytest.raises(SegueError, match=r"^Rolled back. .* 12 of 12 known queries wrongly"):
        release(SageMakerTarget("segue", ACCOUNT), served.folder)
    assert configuration() == first


def wrongly(recommender, query):
    found = answer(recommender, query)
    found.found.tracks[:] = found.found.tracks[::-1]
    return found


def test_a_failed_check_without_an_endpoint_before_leaves_none(target, served):
    with pytest.raises(SegueError, match="Rolled back"):
        release(target, served.folder)  # moto's own answer is the word "body"
    assert configuration() is None


def test_another_process_may_roll_back(target, served, other):
    accept(target, served.folder)
    first = configuration()
    deployed = target.deploy(other)
    assert configuration() == deployed != first
    SageMakerTarget("segue", ACCOUNT).roll_back(deployed)
    assert configuration() == first
    with pytest.raises(SegueError, match="another release took"):
        target.accept(deployed)
    for release_id, said in ((deployed, "another release took"), (first, "what was accepted")):
        with pytest.raises(SegueError, match=said):  # no step further back
            target.roll_back(release_id)
    assert configuration() == first


def test_a_release_that_was_cut_off_is_nothing_to_go_back_to(target, served, other):
    accept(target, served.folder)
    first = configuration()
    target.deploy(other)  # and its check never came
    target.roll_back(target.deploy(served.folder))
    assert configuration() == first


def test_an_interrupted_check_is_rolled_back(container, target, served, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("core.serving.endpoint.check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        release(target, served.folder)
    assert configuration() is None


def wait_once(monkeypatch, how, status="Updating"):
    """Have the first wait for an endpoint end like this, with the endpoint in this state."""
    waits = []

    def wait(waiter, **_):
        endpoint = sagemaker_backends[OWNER][REGION].endpoints.get("segue")
        waits.append(waiter)
        if len(waits) == 1:
            endpoint.endpoint_status = status
            raise how
        if endpoint and endpoint.endpoint_status in ("Creating", "Updating"):
            endpoint.endpoint_status = "InService"

    monkeypatch.setattr("botocore.waiter.Waiter.wait", wait)
    return waits


@pytest.mark.parametrize("how", [KeyboardInterrupt(), EndpointConnectionError(endpoint_url="x")])
def test_an_interrupted_wait_ends_with_what_answered_before(target, served, monkeypatch, how):
    accept(target, served.folder)
    first = configuration()
    wait_once(monkeypatch, how)
    with pytest.raises((KeyboardInterrupt, SegueError)):
        target.deploy(served.folder)
    assert configuration() == first
    assert sagemaker_backends[OWNER][REGION].endpoints["segue"].endpoint_status == "InService"


def test_an_interrupted_creation_leaves_no_endpoint(target, served, monkeypatch):
    waits = wait_once(monkeypatch, KeyboardInterrupt(), "Creating")
    with pytest.raises(KeyboardInterrupt):
        target.deploy(served.folder)
    assert configuration() is None
    assert waits[-1].name == "EndpointDeleted"


def test_an_update_that_ends_in_failure_is_replaced_by_what_answered_before(
    target, served, monkeypatch
):
    accept(target, served.folder)
    first = configuration()
    wait_once(monkeypatch, WaiterError("endpoint_in_service", "It failed.", {}), "Failed")
    with pytest.raises(SegueError, match="did not come up: its status is Failed"):
        target.deploy(served.folder)
    assert configuration() == first
    assert sagemaker_backends[OWNER][REGION].endpoints["segue"].endpoint_status == "InService"


def test_an_update_that_aws_refuses_is_not_waited_for(target, served, monkeypatch):
    accept(target, served.folder)
    first = configuration()
    sagemaker_backends[OWNER][REGION].endpoints["segue"].endpoint_status = "Updating"
    waits = wait_once(monkeypatch, KeyboardInterrupt())
    with pytest.raises(SegueError, match="Cannot update in-progress endpoint"):
        target.deploy(served.folder)
    assert (configuration(), waits) == (first, [])


def test_what_cannot_be_taken_back_is_said(target, served, monkeypatch):
    accept(target, served.folder)

    def never(waiter, **_):
        sagemaker_backends[OWNER][REGION].endpoints["segue"].endpoint_status = "Updating"
        raise WaiterError("endpoint_in_service", "Max attempts exceeded", {})

    monkeypatch.setattr("botocore.waiter.Waiter.wait", never)
    with pytest.raises(SegueError, match=r"not checked, and could not be taken back \(.*progress"):
        target.deploy(served.folder)


def test_what_does_not_come_up_says_why_and_is_deleted(target, served, monkeypatch):
    def failing(backend, *args, **fields):
        endpoint = created(backend, *args, **fields)
        endpoint.endpoint_status, endpoint.failure_reason = "Failed", "The container did not ping."
        return endpoint

    backend = type(sagemaker_backends[OWNER][REGION])
    created = backend.create_endpoint
    monkeypatch.setattr(backend, "create_endpoint", failing)
    with pytest.raises(
        SegueError, match=r"segue: it did not come up: The container did not ping\.$"
    ):
        target.deploy(served.folder)
    assert configuration() is None


def test_an_endpoint_that_failed_is_made_anew(target, served):
    target.deploy(served.folder)
    endpoints = sagemaker_backends[OWNER][REGION].endpoints
    failed = endpoints["segue"]
    failed.endpoint_status = "Failed"
    target.deploy(served.folder)
    assert endpoints["segue"] is not failed
    assert endpoints["segue"].endpoint_status == "InService"


def test_an_update_that_aws_takes_back_is_no_success(target, served, monkeypatch):
    accept(target, served.folder)

    def taken_back(self):
        return ActionResult({"EndpointArn": "arn"})

    monkeypatch.setattr(SageMakerResponse, "update_endpoint", taken_back)
    first = configuration()
    with pytest.raises(SegueError, match="did not come up: its status is InService"):
        target.deploy(served.folder)
    assert configuration() == first


def test_an_endpoint_of_others_is_not_rolled_back(target, served):
    target.deploy(served.folder)
    client, now = boto3.client("sagemaker"), configuration()
    arn = client.describe_endpoint_config(EndpointConfigName=now)["EndpointConfigArn"]
    client.delete_tags(ResourceArn=arn, TagKeys=["segue:before"])
    with pytest.raises(SegueError, match="deployed by something else"):
        target.roll_back(now)
    assert configuration() == now


def test_an_endpoint_is_stopped(target, served):
    for name in ("segue-of-others", "segue"):
        accept(SageMakerTarget(name, ACCOUNT), served.folder)
    target.stop()
    assert target.address is None
    with pytest.raises(SegueError, match="segue: "):
        target.stop()


def test_what_it_needs_to_be_told_comes_before_the_models():
    with pytest.raises(SegueError, match="needs to be told SEGUE_IMAGE"):
        release(SageMakerTarget("segue", Account("", "", "")), Path("nowhere"))


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (Account("", "", "models"), "needs to be told SEGUE_IMAGE, SEGUE_ROLE"),
        (Account(ACCOUNT.image, ACCOUNT.role, "nobodys"), "segue: Failed to upload.*NoSuchBucket"),
    ],
)
def test_refusals_are_one_sentence(aws, served, account, said):
    with pytest.raises(SegueError, match=said) as caught:
        SageMakerTarget("segue", account).deploy(served.folder)
    assert "\n" not in str(caught.value)
    assert configuration() is None


def test_without_region_or_server_it_is_one_sentence(aws, target, served, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SegueError, match=r"segue: Could not connect to the endpoint URL"):
        SageMakerTarget("segue", ACCOUNT).deploy(served.folder)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SegueError, match=r"segue: You must specify a region\.$"):
        SageMakerTarget("segue", ACCOUNT).deploy(served.folder)


@pytest.mark.parametrize("name", ["", "a_b", "-a", "a" * 43])
def test_names_that_aws_refuses_are_refused_first(name):
    with pytest.raises(SegueError, match="cannot name a SageMaker endpoint"):
        SageMakerTarget(name, ACCOUNT)


def test_the_account_is_what_the_environment_says(monkeypatch):
    for name, value in (("IMAGE", "i"), ("ROLE", "r"), ("BUCKET", "b")):
        monkeypatch.setenv(f"SEGUE_{name}", value)
    assert Account.of_environment() == Account("i", "r", "b")


def test_an_archive_is_readable_by_any_user_and_holds_nothing_hidden(served, tmp_path):
    copy = shutil.copytree(served.folder, tmp_path / "copy")
    (copy / ".jobs").mkdir()
    (copy / ".jobs" / "1").touch()
    (copy / "planted" / "manifest.json").chmod(0o600)
    assert servable(copy).search.tracks("2-07", 1)  # which leaves a lock
    pack(copy, tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        entries = archive.getmembers()
        archive.extractall(tmp_path / "there", filter="data")
    assert {entry.mode for entry in entries} == {0o644}
    assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {
        (0, 0, "", "")
    }
    names = {entry.name for entry in entries}
    assert "planted/manifest.json" in names
    assert ".jobs/1" not in names
    assert not any(name.endswith(".lock") for name in names)
    assert servable(tmp_path / "there").search.tracks("2-07", 1)

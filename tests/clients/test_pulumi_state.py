"""What Pulumi Cloud tells of a stack is read as the flows need it."""

import json
from pathlib import Path

import pytest

from slipway.clients import pulumi_api
from slipway.clients.pulumi import PulumiStack
from slipway.clients.pulumi_cli import PulumiCli
from slipway.clients.pulumi_state import count_pending, parse_deployments, parse_history
from slipway.domain.change import DEPLOYMENT_TYPE
from slipway.domain.target import Service, StackName, Target, Workload
from slipway.errors import StackUnusable
from slipway.ports import RecordedDeployment, StackUpdate
from tests.clients.cloud import ORGANIZATION, CloudHere, key

STACK = StackName(ORGANIZATION, "cluster", "prod")
URN = f"urn:pulumi:prod::cluster::{DEPLOYMENT_TYPE}::web"
IMAGE = "ghcr.io/acme/web:1"

RESOURCE = {
    "type": DEPLOYMENT_TYPE,
    "urn": URN,
    "inputs": {
        "metadata": {"namespace": "apps"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": IMAGE}]}}},
    },
    "outputs": {"metadata": {"namespace": "apps", "name": "web-1a2b"}},
    "initErrors": ["not ready"],
}


def export(*resources: object, pending: int = 0) -> dict[str, object]:
    operations = [{"type": "updating"}] * pending
    return {
        "version": 3,
        "deployment": {"resources": list(resources), "pending_operations": operations},
    }


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudHere:
    monkeypatch.setattr(pulumi_api, "PAUSES", (0.0,))
    return CloudHere(tmp_path)


def stack_in(cloud: CloudHere) -> PulumiStack:
    target = Target(
        "web-prod", Service("web", "web", "ghcr.io/acme/web"), key(), STACK, Workload("apps", "app")
    )
    return PulumiStack(target, PulumiCli(cloud.api()))


async def make_stack(cloud: CloudHere) -> None:
    path, made = f"/api/stacks/{ORGANIZATION}/cluster", json.dumps({"stackName": "prod"})
    assert (await cloud.api().send("POST", path, content=made)).good


async def start_update(cloud: CloudHere, message: str) -> str:
    """An update that holds the stack; its route."""
    path = f"/api/stacks/{STACK}/update"
    program = json.dumps({"metadata": {"message": message, "environment": {"git.head": "a" * 40}}})
    made = await cloud.api().send("POST", path, content=program)
    route = f"{path}/{made.json()['updateID']}"
    assert (await cloud.api().send("POST", route, content="{}")).good
    return route


async def test_a_stack_that_never_was_updated_is_idle_and_empty(cloud: CloudHere) -> None:
    await make_stack(cloud)

    state = await stack_in(cloud).state()

    assert (state.last_update, state.busy, state.deployments) == (None, False, ())


async def test_an_update_under_way_makes_the_stack_busy_until_it_ends(cloud: CloudHere) -> None:
    await make_stack(cloud)
    route = await start_update(cloud, "by hand")
    busy = await stack_in(cloud).state()

    await cloud.api().send("POST", f"{route}/cancel")
    idle = await stack_in(cloud).state()

    assert (busy.busy, idle.busy) == (True, False)
    assert idle.last_update is not None
    assert (idle.last_update.version, idle.last_update.message) == (1, "by hand")
    assert idle.last_update.program == "a" * 40


async def test_a_stack_that_is_not_there_is_named(cloud: CloudHere) -> None:
    with pytest.raises(StackUnusable, match="pulumi stack init acme/cluster/prod"):
        await stack_in(cloud).state()


def test_a_deployment_is_read_with_the_name_that_it_got() -> None:
    assert parse_deployments(export({"type": "pulumi:pulumi:Stack", "urn": "x"}, RESOURCE)) == (
        RecordedDeployment(URN, "apps", "web-1a2b", {"app": IMAGE}, ("not ready",), False),
    )


@pytest.mark.parametrize(
    ("spec", "sets"),
    [
        ({"template": {}}, False),
        ({"template": {}, "replicas": 0}, True),
        ({"template": {}, "replicas": {"4dabf": "x", "ciphertext": "y"}}, True),
        ({"4dabf": "x", "ciphertext": "y"}, True),
        (None, True),
    ],
)
def test_replicas_are_taken_for_set_unless_the_program_is_seen_to_leave_them_out(
    spec: object, *, sets: bool
) -> None:
    [found] = parse_deployments(export({**RESOURCE, "inputs": {"spec": spec}}))

    assert found.sets_replicas is sets


def test_what_is_about_to_be_deleted_is_not_the_deployment() -> None:
    assert parse_deployments(export({**RESOURCE, "delete": True})) == ()


@pytest.mark.parametrize("containers", ["unknown", [{"name": "app"}], [{"image": {"4dabf": "x"}}]])
def test_an_image_that_the_state_does_not_tell_is_left_out(containers: object) -> None:
    inputs = {"spec": {"template": {"spec": {"containers": containers}}}}

    [found] = parse_deployments(export({**RESOURCE, "inputs": inputs}))

    assert found.images == {}


def test_operations_without_an_end_are_counted() -> None:
    assert [count_pending(export(pending=2)), count_pending({})] == [2, 0]


def test_history_is_read_newest_first_and_tolerates_what_is_absent() -> None:
    told = {"updates": [{"version": 2, "kind": "update", "result": "failed"}, {"version": 1}]}

    assert parse_history(told) == (
        StackUpdate(2, "update", "failed", ""),
        StackUpdate(1, "", "", ""),
    )

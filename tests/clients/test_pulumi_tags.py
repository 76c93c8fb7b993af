"""The stack's tag that names a ledger, over the stand-in for Pulumi Cloud, and a wire that cuts."""

import json
from pathlib import Path

import httpx
import pytest

from slipway.clients.pulumi_tags import NAME, claim, ledger_of
from slipway.domain.target import StackName
from slipway.errors import StackUnusable, Unreachable
from tests.clients.cloud import CloudHere, Send

STACK = StackName("acme", "shop", "prod")
PATH = f"/api/stacks/{STACK}"


@pytest.fixture
async def cloud(tmp_path: Path) -> CloudHere:
    """An account with one stack, which somebody has given a tag of theirs."""
    cloud = CloudHere(tmp_path)
    made = json.dumps({"stackName": "prod", "tags": {"team": "shop"}})
    answer = await cloud.api("operator").send("POST", "/api/stacks/acme/shop", content=made)
    assert answer.good, answer.text
    cloud.wire.requests.clear()
    return cloud


async def tags(cloud: CloudHere) -> object:
    return (await cloud.api("operator").send("GET", PATH)).json()["tags"]


async def test_a_stack_is_claimed_once_and_keeps_its_other_tags(cloud: CloudHere) -> None:
    assert await ledger_of(cloud.api(), STACK) == ""

    assert await claim(cloud.api(), STACK, "ours") == "ours"
    assert await claim(cloud.api(), STACK, "theirs") == "ours"

    assert await ledger_of(cloud.api(), STACK) == "ours"
    assert await tags(cloud) == {"team": "shop", NAME: "ours"}


async def test_a_stack_of_ours_is_only_asked(cloud: CloudHere) -> None:
    await claim(cloud.api(), STACK, "ours")
    cloud.wire.requests.clear()

    await claim(cloud.api(), STACK, "ours")

    assert [each.method for each in cloud.wire.requests] == ["GET"]


async def test_a_stack_is_taken_over_from_the_ledger_that_is_named_and_from_no_other(
    cloud: CloudHere,
) -> None:
    await claim(cloud.api(), STACK, "theirs")

    assert await claim(cloud.api(), STACK, "ours", instead_of="somebody") == "theirs"
    assert await claim(cloud.api(), STACK, "ours", instead_of="theirs") == "ours"

    assert await tags(cloud) == {"team": "shop", NAME: "ours"}


async def test_of_two_that_look_at_once_the_later_is_told_of_the_first(cloud: CloudHere) -> None:
    async def come_between(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            cloud.wire.spoil = None
            assert await claim(cloud.api("operator"), STACK, "theirs") == "theirs"
        return await send(request)

    cloud.wire.spoil = come_between

    assert await claim(cloud.api(), STACK, "ours") == "theirs"


async def test_a_claim_whose_answer_was_lost_is_done_when_it_is_done_again(
    cloud: CloudHere,
) -> None:
    async def lose(request: httpx.Request, send: Send) -> httpx.Response:
        response = await send(request)
        if request.method == "POST":
            raise httpx.ReadError("connection reset")
        return response

    cloud.wire.spoil = lose
    with pytest.raises(Unreachable):
        await claim(cloud.api(), STACK, "ours")
    cloud.wire.spoil = None

    assert await claim(cloud.api(), STACK, "ours") == "ours"


async def test_a_tag_that_can_not_be_written_is_a_remedy(cloud: CloudHere) -> None:
    async def refuse(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(400, json={"code": 400, "message": "tags are frozen"})
        return await send(request)

    cloud.wire.spoil = refuse

    with pytest.raises(StackUnusable, match=r"tags are frozen.*right to edit the stack"):
        await claim(cloud.api(), STACK, "ours")


async def test_a_stack_that_is_none_can_not_be_asked(cloud: CloudHere) -> None:
    with pytest.raises(StackUnusable, match="nowhere"):
        await ledger_of(cloud.api(), StackName("acme", "shop", "nowhere"))

"""The stand-in for Pulumi Cloud keeps a stack's tags by the documented rules."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox_parts.cloud import CloudInProcess

STACK = "/api/stacks/acme/shop/prod"


@pytest.fixture
async def cloud_with_a_tag(cloud: CloudInProcess) -> CloudInProcess:
    client = cloud.client()
    await client.post("/api/stacks/acme/shop", json={"stackName": "prod", "tags": {"team": "a"}})
    return cloud


async def tags_of(cloud: CloudInProcess) -> dict[str, str]:
    found: dict[str, str] = (await cloud.client().get(STACK)).json()["tags"]
    return found


async def test_a_tag_is_added_once_and_leaves_the_others(cloud_with_a_tag: CloudInProcess) -> None:
    client, tag = cloud_with_a_tag.client(), {"name": "slipway:ledger", "value": "one"}

    first = await client.post(f"{STACK}/tags", json=tag)
    second = await client.post(f"{STACK}/tags", json={**tag, "value": "two"})

    assert (first.status_code, second.status_code) == (204, 400)
    assert await tags_of(cloud_with_a_tag) == {"team": "a", "slipway:ledger": "one"}


async def test_a_tag_is_changed_and_removed_by_its_name(cloud_with_a_tag: CloudInProcess) -> None:
    client = cloud_with_a_tag.client()

    changed = await client.patch(f"{STACK}/tags/team", json={"value": "b"})
    seen = await tags_of(cloud_with_a_tag)
    removed = await client.delete(f"{STACK}/tags/team")

    assert (changed.status_code, removed.status_code, seen) == (204, 204, {"team": "b"})
    assert await tags_of(cloud_with_a_tag) == {}


async def test_a_tag_that_is_not_there_is_not_found(cloud_with_a_tag: CloudInProcess) -> None:
    client = cloud_with_a_tag.client()

    assert (await client.delete(f"{STACK}/tags/other")).status_code == 404
    assert (await client.patch(f"{STACK}/tags/other", json={"value": "b"})).status_code == 404


@pytest.mark.parametrize(
    "tag", [{}, {"name": "a b", "value": ""}, {"name": "a", "value": "x" * 257}]
)
async def test_a_tag_against_the_rules_is_refused(
    cloud_with_a_tag: CloudInProcess, tag: dict[str, str]
) -> None:
    answer = await cloud_with_a_tag.client().post(f"{STACK}/tags", json=tag)

    assert answer.status_code == 400
    assert await tags_of(cloud_with_a_tag) == {"team": "a"}


async def test_replacing_all_tags_leaves_no_other(cloud_with_a_tag: CloudInProcess) -> None:
    await cloud_with_a_tag.client().patch(f"{STACK}/tags", json={"owner": "ada"})

    assert await tags_of(cloud_with_a_tag) == {"owner": "ada"}


async def test_an_update_that_starts_while_a_tag_arrives_keeps_the_stack(
    cloud_with_a_tag: CloudInProcess,
) -> None:
    client = cloud_with_a_tag.client()
    update = (await client.post(f"{STACK}/update", json={})).json()["updateID"]

    async def slow_body() -> AsyncIterator[bytes]:
        yield b'{"value": '
        await client.post(f"{STACK}/update/{update}", json={})
        yield b'"b"}'

    await client.patch(f"{STACK}/tags/team", content=slow_body())

    stack = (await client.get(STACK)).json()
    assert (stack["activeUpdate"], stack["tags"]) == (update, {"team": "b"})

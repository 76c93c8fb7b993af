"""The stand-in for Pulumi Cloud keeps stacks as the CLI expects."""

import base64
import gzip
import json
from typing import Any

import httpx
import pytest

from tests.sandbox_parts.cloud import CloudInProcess

STACK = "/api/stacks/acme/shop/prod"
ONE_RESOURCE = {"version": 3, "deployment": {"resources": [{"urn": "urn:pulumi:prod::shop::a::b"}]}}


async def made(cloud: CloudInProcess) -> httpx.AsyncClient:
    client = cloud.client()
    created = await client.post("/api/stacks/acme/shop", json={"stackName": "prod"})
    assert created.status_code == 200
    return client


async def announced(client: httpx.AsyncClient, kind: str = "update", **program: Any) -> str:
    answer = await client.post(f"{STACK}/{kind}", json=program)
    return f"{STACK}/update/{answer.json()['updateID']}"


async def started(cloud: CloudInProcess, client: httpx.AsyncClient, **program: Any) -> Any:
    """The update's path and a client that holds its lease."""
    update = await announced(client, **program)
    answer = (await client.post(update, json={})).json()
    return update, cloud.with_authorization(f"update-token {answer['token']}")


async def history(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await client.get(f"{STACK}/updates")).json()["updates"]
    return entries


async def test_a_new_stack_exports_an_empty_deployment(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    deployment = (await client.get(f"{STACK}/export")).json()
    assert deployment["version"] == 3
    assert deployment["deployment"]["manifest"]["time"] == "0001-01-01T00:00:00Z"


async def test_an_unknown_stack_is_not_found(cloud: CloudInProcess) -> None:
    answer = await cloud.client().get(STACK)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


async def test_a_stack_cannot_be_made_twice(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    again = await client.post("/api/stacks/acme/shop", json={"stackName": "prod"})
    assert again.status_code == 409


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "", None])
async def test_a_stack_name_that_is_no_file_name_is_refused(
    cloud: CloudInProcess, name: str | None
) -> None:
    answer = await cloud.client().post("/api/stacks/acme/shop", json={"stackName": name})
    assert answer.status_code == 400


async def test_a_second_update_is_refused_at_start_with_the_text_the_cli_knows(
    cloud: CloudInProcess,
) -> None:
    client = await made(cloud)
    await started(cloud, client)
    second = await client.post(await announced(client), json={})
    assert second.status_code == 409
    assert second.json()["message"] == "Conflict: Another update is currently in progress."


@pytest.mark.parametrize("preview", [{"kind": "preview"}, {"options": {"dryRun": True}}])
async def test_a_preview_takes_no_lock_and_enters_no_history(
    cloud: CloudInProcess, preview: dict[str, Any]
) -> None:
    client = await made(cloud)
    await started(cloud, client)
    answer = await client.post(await announced(client, **preview), json={})
    assert answer.status_code == 200
    assert [entry["version"] for entry in await history(client)] == [1]


async def test_history_keeps_message_environment_and_changes_newest_first(
    cloud: CloudInProcess,
) -> None:
    client = await made(cloud)
    for message in ("first", "second"):
        metadata = {"message": message, "environment": {"git.head": "abc"}}
        update, holder = await started(cloud, client, metadata=metadata)
        batch = {"events": [{"summaryEvent": {"resourceChanges": {"update": 1, "same": 4}}}]}
        await holder.post(f"{update}/events/batch", json=batch)
        await holder.post(f"{update}/complete", json={"status": "succeeded"})
    newest, oldest = await history(client)
    assert (newest["message"], oldest["message"]) == ("second", "first")
    assert newest["environment"] == {"git.head": "abc"}
    assert newest["resourceChanges"] == {"update": 1, "same": 4}
    assert (newest["result"], newest["version"]) == ("succeeded", 2)
    page = (await client.get(f"{STACK}/updates?pageSize=1&page=2")).json()["updates"]
    assert page == [oldest]


async def test_a_gzipped_checkpoint_is_the_state_and_each_version_stays_readable(
    cloud: CloudInProcess,
) -> None:
    client = await made(cloud)
    for resources in ([{"urn": "one"}], [{"urn": "two"}]):
        update, holder = await started(cloud, client)
        body = {"version": 4, "features": ["f"], "deployment": {"resources": resources}}
        await holder.patch(
            f"{update}/checkpoint",
            content=gzip.compress(json.dumps(body).encode()),
            headers={"content-encoding": "gzip"},
        )
        await holder.post(f"{update}/complete", json={"status": "succeeded"})
    latest = (await client.get(f"{STACK}/export")).json()
    first = (await client.get(f"{STACK}/export/1")).json()
    assert latest == {
        "version": 4,
        "features": ["f"],
        "deployment": {"resources": [{"urn": "two"}]},
    }
    assert first["deployment"]["resources"] == [{"urn": "one"}]
    assert (await client.get(f"{STACK}/export/3")).status_code == 404


async def test_a_lease_lives_on_by_renewal_and_ends_after_300_silent_seconds(
    cloud: CloudInProcess,
) -> None:
    client = await made(cloud)
    update, holder = await started(cloud, client)
    for _ in range(3):
        cloud.clock.now += 299
        assert (await holder.post(f"{update}/renew_lease", json={"duration": 300})).is_success
    cloud.clock.now += 300
    late = await holder.patch(f"{update}/checkpoint", json=ONE_RESOURCE)
    assert late.status_code == 403
    assert (await client.post(await announced(client), json={})).json()["version"] == 2
    assert [entry["result"] for entry in await history(client)] == ["in-progress", "failed"]


async def test_the_admin_ends_a_lease_at_once(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    update, holder = await started(cloud, client)
    assert (await client.get(STACK)).json()["currentOperation"]["author"] == "slipway"
    await holder.patch(f"{update}/checkpoint", json=ONE_RESOURCE)
    admin = cloud.admin()
    assert (await admin.post("/admin/stacks/acme/shop/prod/expire-lease")).is_success
    stack = (await client.get(STACK)).json()
    assert "currentOperation" not in stack
    assert stack["activeUpdate"] in update
    assert (await client.get(f"{STACK}/export")).json() == ONE_RESOURCE


async def test_cancel_takes_the_lease_from_the_cli_that_holds_it(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    update, holder = await started(cloud, client)
    assert (await cloud.client("operator").post(f"{update}/cancel")).status_code == 204
    assert (await holder.patch(f"{update}/checkpoint", json=ONE_RESOURCE)).status_code == 403
    assert (await history(client))[0]["result"] == "failed"


async def test_completing_twice_is_accepted_and_completing_otherwise_is_not(
    cloud: CloudInProcess,
) -> None:
    client = await made(cloud)
    update, holder = await started(cloud, client)
    for status, expected in (("succeeded", 204), ("succeeded", 204), ("failed", 403)):
        answer = await holder.post(f"{update}/complete", json={"status": status})
        assert answer.status_code == expected
    assert (await history(client))[0]["result"] == "succeeded"


async def test_a_foreign_lease_token_changes_nothing(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    update, _ = await started(cloud, client)
    thief = cloud.with_authorization("update-token guessed")
    assert (await thief.patch(f"{update}/checkpoint", json=ONE_RESOURCE)).status_code == 401
    assert "resources" not in (await client.get(f"{STACK}/export")).json()["deployment"]


async def test_a_stack_with_resources_is_deleted_only_by_force(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    await client.post(f"{STACK}/import", json=ONE_RESOURCE)
    refused = await client.delete(STACK)
    assert refused.json()["message"] == "Bad Request: Stack still contains resources."
    assert (await client.delete(f"{STACK}?force=true")).status_code == 204
    assert (await client.get(STACK)).status_code == 404


async def test_secrets_are_encrypted_and_only_their_stack_reads_them(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    await client.post("/api/stacks/acme/shop", json={"stackName": "other"})
    plaintext = base64.b64encode(b"canary").decode()
    answer = await client.post(
        f"{STACK}/batch-encrypt", json={"plaintexts": [plaintext, plaintext]}
    )
    first, second = answer.json()["ciphertexts"]
    assert first != second
    assert b"canary" not in base64.b64decode(first)
    back = await client.post(f"{STACK}/batch-decrypt", json={"ciphertexts": [first, second]})
    assert back.json()["plaintexts"] == {first: plaintext, second: plaintext}
    foreign = await client.post("/api/stacks/acme/shop/other/decrypt", json={"ciphertext": first})
    assert foreign.status_code == 400


async def test_everything_survives_a_restart_with_the_lease(cloud: CloudInProcess) -> None:
    client = await made(cloud)
    await client.patch(f"{STACK}/tags", json={"owner": "me"})
    plaintext = base64.b64encode(b"x").decode()
    kept = (await client.post(f"{STACK}/encrypt", json={"plaintext": plaintext})).json()
    update, holder = await started(cloud, client)
    again = cloud.restart()
    stack = (await again.client().get(STACK)).json()
    assert (stack["tags"], stack["version"]) == ({"owner": "me"}, 1)
    assert stack["activeUpdate"] in update
    assert (await again.client().post(f"{STACK}/decrypt", json=kept)).json()[
        "plaintext"
    ] == plaintext
    moved = again.with_authorization(holder.headers["authorization"])
    assert (await moved.post(f"{update}/complete", json={"status": "succeeded"})).is_success


async def test_accounts_are_told_apart_and_may_be_revoked_while_it_runs(
    cloud: CloudInProcess,
) -> None:
    await made(cloud)
    viewer = cloud.client("viewer")
    assert (await viewer.get("/api/user")).json()["githubLogin"] == "viewer"
    assert (await viewer.get(f"{STACK}/export")).is_success
    assert (await viewer.post(f"{STACK}/update", json={})).status_code == 403
    assert (await viewer.get("/api/stacks/other/shop/prod")).status_code == 404
    section = cloud.credentials
    del section["accounts"]["viewer"]
    cloud.write_credentials(section)
    assert (await viewer.get(f"{STACK}/export")).status_code == 401
    assert (await viewer.post("/admin/faults", json={})).status_code == 401

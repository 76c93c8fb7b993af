"""ESC's rules on the stand-in: bytes, revisions, ETags, diagnostics, imports, secrets, pins."""

import base64
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox_parts.cloud import CloudInProcess

ROOT = "/api/esc/environments/acme"
ENVIRONMENT = f"{ROOT}/default/shop"
PLAIN = "values:\n  pulumiConfig:\n    shop:image: repo:1\n"


@pytest.fixture
async def client(cloud: CloudInProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with cloud.client() as made:
        await made.post(ROOT, json={"project": "default", "name": "shop"})
        yield made


async def write(
    client: httpx.AsyncClient, text: str, etag: str = "", path: str = ENVIRONMENT
) -> httpx.Response:
    headers = {"ETag": etag, "If-Match": etag} if etag else {}
    return await client.patch(path, content=text, headers=headers)


async def opened(client: httpx.AsyncClient, **query: str) -> dict[str, object]:
    """What `pulumi up` gets: an anonymous environment that imports ours."""
    imports = json.dumps({"imports": ["default/shop"]})
    session = await client.post(
        f"{ROOT}/yaml/open", params={"duration": "2h0m0s", **query}, content=imports
    )
    assert session.status_code == 200, session.text
    answer = await client.get(f"{ROOT}/yaml/open/{session.json()['id']}")
    found: dict[str, object] = answer.json()["properties"]
    return found


async def test_a_definition_is_kept_byte_for_byte(client: httpx.AsyncClient) -> None:
    text = PLAIN + "  # a comment at the end, and   spacing\n"

    await write(client, text)
    answer = await client.get(ENVIRONMENT)

    assert answer.text == text
    assert answer.headers["etag"]
    assert int(answer.headers["pulumi-esc-revision"]) >= 2


async def test_every_write_is_a_revision_with_its_author(
    cloud: CloudInProcess, client: httpx.AsyncClient
) -> None:
    first = await write(client, PLAIN)
    async with cloud.client("operator") as other:
        second = await write(other, PLAIN)

    history = (await client.get(f"{ENVIRONMENT}/versions")).json()
    revisions = [int(each.headers["pulumi-esc-revision"]) for each in (second, first)]
    assert [each["number"] for each in history[:2]] == revisions
    assert [each["creatorLogin"] for each in history[:2]] == ["operator", "slipway"]
    old = await client.get(f"{ENVIRONMENT}/versions/{revisions[1]}")
    assert old.text == PLAIN


async def test_a_stale_etag_is_a_conflict_and_writes_nothing(client: httpx.AsyncClient) -> None:
    await write(client, PLAIN)
    etag = (await client.get(ENVIRONMENT)).headers["etag"]
    await write(client, PLAIN.replace("repo:1", "repo:2"), etag)

    stale = await write(client, PLAIN.replace("repo:1", "repo:3"), etag)

    assert stale.status_code == 409
    assert "repo:2" in (await client.get(ENVIRONMENT)).text


@pytest.mark.parametrize(
    "text",
    ["values: [", "values: {a: &x 1, b: *x}", "values: {a: '${gone.away}'}", "imports: [nowhere]"],
)
async def test_an_invalid_definition_is_refused_with_diagnostics(
    client: httpx.AsyncClient, text: str
) -> None:
    await write(client, PLAIN)

    answer = await write(client, text)

    assert answer.status_code == 400
    assert answer.json()["diagnostics"]
    assert (await client.get(ENVIRONMENT)).text == PLAIN


async def test_a_secret_is_stored_as_ciphertext_and_opened_as_a_secret(
    client: httpx.AsyncClient,
) -> None:
    await write(client, "values:\n  token:\n    fn::secret: s3cr3t-canary\n  who: is ${token}\n")

    stored = (await client.get(ENVIRONMENT)).text
    values = await opened(client)

    assert "s3cr3t-canary" not in stored
    assert "ciphertext" in stored
    token = values["token"]
    assert isinstance(token, dict)
    assert (token["value"], token["secret"]) == ("s3cr3t-canary", True)


async def test_values_refer_to_each_other(client: httpx.AsyncClient) -> None:
    await write(client, "values:\n  greeting: hello ${name}\n  name: ada\n")

    greeting = (await opened(client))["greeting"]

    assert isinstance(greeting, dict)
    assert greeting["value"] == "hello ada"


async def test_an_open_can_be_pinned_to_a_revision(client: httpx.AsyncClient) -> None:
    first = await write(client, PLAIN)
    await write(client, PLAIN.replace("repo:1", "repo:2"))
    revision = first.headers["pulumi-esc-revision"]
    pin = json.dumps({"default/shop": f"default/shop@{revision}"}).encode()
    encoded = base64.urlsafe_b64encode(pin).decode().rstrip("=")

    pinned = await opened(client, environmentOverrides=encoded)
    latest = await opened(client)

    assert "repo:1" in json.dumps(pinned)
    assert "repo:2" in json.dumps(latest)


async def test_tags_come_in_pages_that_end(client: httpx.AsyncClient) -> None:
    """The CLI asks until a page is empty; ignoring `after` would keep it asking for ever."""
    written = await write(client, PLAIN)
    revision = int(written.headers["pulumi-esc-revision"])
    await client.post(f"{ENVIRONMENT}/versions/tags", json={"name": "live", "revision": revision})

    names: list[str] = []
    while page := (
        await client.get(
            f"{ENVIRONMENT}/versions/tags", params={"after": names[-1] if names else "", "count": 1}
        )
    ).json()["tags"]:
        names += [each["name"] for each in page]
        assert len(names) < 10

    assert names == ["latest", "live"]


async def test_a_viewer_may_open_but_not_write(
    cloud: CloudInProcess, client: httpx.AsyncClient
) -> None:
    await write(client, PLAIN)
    async with cloud.client("viewer") as viewer:
        assert (await viewer.get(ENVIRONMENT)).status_code == 200
        assert (await write(viewer, PLAIN)).status_code == 403


async def test_what_was_written_outlives_a_restart(
    cloud: CloudInProcess, client: httpx.AsyncClient
) -> None:
    await write(client, PLAIN)
    etag = (await client.get(ENVIRONMENT)).headers["etag"]

    async with cloud.restart().client() as again:
        answer = await again.get(ENVIRONMENT)

    assert (answer.text, answer.headers["etag"]) == (PLAIN, etag)

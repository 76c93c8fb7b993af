"""The ESC client over real connections, which break, and event loops, which end."""

import asyncio
import gc
import json
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from sandbox import pulumi
from sandbox.box import Box
from sandbox.pulumi import PulumiCloud
from slipway.clients.esc import EscConfigStore
from slipway.clients.pulumi_api import PulumiApi
from slipway.domain.config import ConfigSnapshot
from slipway.domain.target import ConfigKey
from slipway.errors import Unreachable
from tests.sandbox.conftest import running

pytestmark = pytest.mark.sandbox

KEY = ConfigKey(pulumi.ORGANIZATION, "default", "wire", "shop:webImage")
PATH = f"/api/esc/environments/{KEY.environment_name}"
TEXT = "values:\n  pulumiConfig:\n    shop:webImage: acme/web:1\n"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    yield from running([PulumiCloud()])


@pytest.fixture
def http(box: Box) -> Iterator[httpx.Client]:
    """Somebody else, who has written the environment anew."""
    headers = {"Authorization": f"token {pulumi.token(box, 'operator')}"}
    with httpx.Client(base_url=pulumi.backend(box), headers=headers) as client:
        made = {"project": "default", "name": "wire"}
        client.post(f"/api/esc/environments/{pulumi.ORGANIZATION}", json=made)
        client.patch(PATH, content=TEXT).raise_for_status()
        yield client


@pytest.fixture
def api(box: Box) -> PulumiApi:
    return PulumiApi(pulumi.backend(box), SecretStr(pulumi.token(box, "slipway")))


def plant(box: Box, **fault: object) -> None:
    """Spoil the next matching request."""
    credentials = json.loads((box.folder("pulumi-cloud") / "credentials.json").read_text())
    headers = {"Authorization": f"token {credentials['pulumi_cloud']['admin_token']}"}
    url = f"{pulumi.backend(box)}/admin/faults"
    httpx.post(url, json=fault, headers=headers).raise_for_status()


def test_a_write_whose_connection_is_torn_afterwards_is_found(
    box: Box, http: httpx.Client, api: PulumiApi
) -> None:
    async def pin() -> int:
        async with api:
            store = EscConfigStore(api)
            before = await store.read(KEY)
            plant(box, action="reset", method="PATCH", when="after")
            return (await store.write(before, "acme/web:2")).revision - before.revision

    assert asyncio.run(pin()) == 1
    assert http.get(PATH).text == TEXT.replace("web:1", "web:2")


def test_a_write_whose_connection_is_torn_before_is_told(
    box: Box, http: httpx.Client, api: PulumiApi
) -> None:
    async def pin() -> None:
        async with api:
            store = EscConfigStore(api)
            before = await store.read(KEY)
            plant(box, action="reset", method="PATCH", when="before")
            with pytest.raises(Unreachable, match="was not written"):
                await store.write(before, "acme/web:2")

    asyncio.run(pin())

    assert http.get(PATH).text == TEXT


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the first loop's connection
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # likewise
@pytest.mark.usefixtures("http")
def test_a_client_can_go_from_one_event_loop_to_the_next(api: PulumiApi) -> None:
    """Its connection is kept alive, and can't be used by the next loop."""
    store = EscConfigStore(api)

    async def read_and_close() -> ConfigSnapshot:
        async with api:
            return await store.read(KEY)

    first = asyncio.run(store.read(KEY))
    again = asyncio.run(read_and_close())
    gc.collect()  # now, while the warning about the first loop's connection is expected

    assert again == first

"""`slipway register` on a real Prefect server: what the file says is what a flow run loads."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from blocks.file import SlipwayFile
from blocks.loading import load_target
from blocks.settings import TargetSettings
from slipway.cli.main import main
from slipway.errors import InvalidInput
from tests.blocks.test_file import ADAPTER, ENVIRONMENT, EXAMPLE, SINK

pytestmark = pytest.mark.sandbox

DEPLOYMENTS = [
    f"deploy/{ADAPTER}",
    f"rollback/{ADAPTER}",
    f"candidates/{ADAPTER}",
    f"deploy/{SINK}",
    f"rollback/{SINK}",
    f"candidates/{SINK}",
    "recover/acme:oceanid-cluster:prod",
    "audit/all",
    "audit/every-tag",
    "drill/all",
    "prune/ghcr.io:acme:shop:ls-triton-adapter",
    "prune/ghcr.io:acme:shop:annotations-sink",
]


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "slipway.toml"
    path.write_text(EXAMPLE.read_text())
    return path


def register(path: Path, *words: str) -> Result:
    typed = ["--config", str(path), "register", *words]
    return CliRunner().invoke(main, typed, catch_exceptions=False)


def load(name: str) -> TargetSettings:
    return asyncio.run(load_target(name))


def documents() -> str:
    """Everything that the server tells of its blocks, as anybody who may ask it sees."""
    url = f"{PREFECT_API_URL.value()}/block_documents/filter"
    return httpx.post(url, json={}).raise_for_status().text


def deployments() -> list[str]:
    async def read() -> list[str]:
        async with get_client() as client:
            flows = {each.id: each.name for each in await client.read_flows()}
            found = await client.read_deployments()
        assert {each.work_pool_name for each in found} == {"slipway"}
        return sorted(f"{flows[each.flow_id]}/{each.name}" for each in found)

    return asyncio.run(read())


def named() -> list[tuple[str, str]]:
    found = json.loads(documents())
    return sorted((each["block_type"]["slug"], each["name"]) for each in found)


def test_what_the_file_says_is_what_a_flow_run_loads(path: Path) -> None:
    result = register(path)

    assert result.stdout.splitlines() == DEPLOYMENTS
    assert deployments() == sorted(DEPLOYMENTS)
    file = SlipwayFile(path)
    for name in (ADAPTER, SINK):
        loaded, said = load(name), file.target(name)
        assert loaded.target() == said.target()
        for place in ("repository", "registry", "pulumi", "cluster", "docker"):
            values = getattr(said, place).model_dump()
            assert getattr(loaded, place).model_dump(include=set(values)) == values
    assert load(ADAPTER).pulumi.token.get_secret_value() == "canary-pulumi"
    assert "canary" not in documents()


def test_scripts_are_told_what_was_saved(path: Path) -> None:
    told = json.loads(register(path, "--json").stdout)

    assert told == {"targets": [ADAPTER, SINK], "deployments": DEPLOYMENTS, "work_pool": "slipway"}


def test_registering_again_changes_what_differs_and_adds_nothing(path: Path) -> None:
    register(path)
    before = named()
    changed = path.read_text().replace("soak = 10 ", "soak = 30 ")
    path.write_text(changed.replace('context = "home"', 'context = "moved"'))

    register(path)

    assert load(ADAPTER).soak == 30
    assert load(ADAPTER).cluster.context == load(SINK).cluster.context == "moved"
    assert named() == before
    assert len(before) == len(set(before)) == 7
    assert deployments() == sorted(DEPLOYMENTS)


def test_a_target_that_nobody_registered_is_told_with_the_remedy() -> None:
    with pytest.raises(InvalidInput, match=r"'nowhere'.*slipway register"):
        load("nowhere")

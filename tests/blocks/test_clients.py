"""Building the ports of a target: from its settings alone, and without touching anything."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.clients import Shared, build_ports
from blocks.file import SlipwayFile
from blocks.settings import TargetSettings
from slipway.errors import InvalidInput
from slipway.ports import Ports
from tests.blocks.test_file import ADAPTER, ENVIRONMENT, EXAMPLE, SINK


@pytest.fixture
def ports() -> Ports:
    file = SlipwayFile(EXAMPLE, ENVIRONMENT)

    async def find(name: str) -> TargetSettings:
        return file.target(name)

    return build_ports(file.target(ADAPTER), find)


def test_the_ports_are_those_of_the_target(ports: Ports) -> None:
    assert ports.target == SlipwayFile(EXAMPLE, ENVIRONMENT).target(ADAPTER).target()


async def test_a_neighbour_has_its_own_target_and_the_same_way_on(ports: Ports) -> None:
    sink = await ports.neighbour(SINK)

    assert sink.target.name == SINK
    assert (await sink.neighbour(ADAPTER)).target == ports.target


def test_no_secret_shows_in_the_ports(ports: Ports) -> None:
    assert "canary" not in repr(ports)


def test_a_kubeconfig_given_as_text_is_one_file_that_only_we_can_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = SlipwayFile(EXAMPLE, ENVIRONMENT).target(ADAPTER)
    settings.cluster.kubeconfig_text = SecretStr("apiVersion: v1")

    for _ in range(2):
        build_ports(settings, find=_nobody)

    [written] = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert written.read_text() == "apiVersion: v1"
    assert written.stat().st_mode & 0o077 == 0


async def _nobody(name: str) -> TargetSettings:
    raise AssertionError(name)


def with_token(**changes: object) -> TargetSettings:
    settings = SlipwayFile(EXAMPLE, ENVIRONMENT).target(ADAPTER)
    token = {"github_token": SecretStr("canary-github")}
    settings.repository = settings.repository.model_copy(update={**token, **changes})
    return settings


def test_github_is_told_only_where_there_is_a_token_for_it(ports: Ports) -> None:
    told = build_ports(with_token(), find=_nobody)

    assert ports.write_back is None
    assert told.write_back is not None
    assert "canary" not in repr(told)


def test_a_token_for_a_repository_without_a_name_at_github_is_refused() -> None:
    elsewhere = with_token(url="https://git.example/shop.git", github="")

    with pytest.raises(InvalidInput, match=r"git.example.*OWNER/NAME"):
        build_ports(elsewhere, find=_nobody)


def test_targets_that_share_places_share_their_clients_and_no_others() -> None:
    shared = Shared()
    one = with_token()
    other = one.model_copy(update={"name": "another", "key": "shop:other"})
    registry = one.registry.model_copy(update={"password": SecretStr("another")})
    elsewhere = one.model_copy(update={"registry": registry})

    first, second, third = (build_ports(each, _nobody, shared) for each in (one, other, elsewhere))
    alone = build_ports(one, _nobody)

    assert first.registry is second.registry
    assert first.ledger is second.ledger is third.ledger
    assert first.cluster is second.cluster is third.cluster
    assert first.registry is not third.registry
    assert alone.ledger is not first.ledger
    assert (first.target.name, second.target.name) == (one.name, "another")

"""A place that is away: it alone is found, doctor asks it again, and it is gone with its end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from sandbox import image_registry, pulumi, repository
from sandbox.box import Box
from slipway.cli.doctor import NOT_IN_ORDER
from slipway.domain.finding import Finding
from tests.sandbox import postgres
from tests.sandbox.audit import away
from tests.sandbox.audit.keyboard import Keyboard, make_keyboard
from tests.sandbox.audit.looking import but_for_news, found, look, released
from tests.sandbox.releases.conftest import Moved
from tests.sandbox.releases.ends import facts
from tests.sandbox.releases.real_world import RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

Away = Callable[[Box], AbstractContextManager[None]]
OF_PULUMI = {("SYS001", "ESC"), ("SYS001", "the Pulumi stack")}
OF_KUBERNETES = {("SYS001", "the Deployment"), ("SYS001", "the nodes")}
OF_THE_REGISTRY = {("IMG002", "the registry")}
OF_GIT = {("SYS001", "git")}


def kubernetes_address(box: Box) -> str:
    """Where the API server is."""
    return f"127.0.0.1:{box.port('kubernetes')}"


@pytest.mark.parametrize(
    ("goes", "expected", "named"),
    [
        (away.registry_down, OF_THE_REGISTRY, image_registry.host),
        (away.registry_account_revoked, OF_THE_REGISTRY, image_registry.host),
        (away.pulumi_cloud_down, OF_PULUMI, pulumi.backend),
        (away.pulumi_token_revoked, OF_PULUMI, pulumi.backend),
        (away.kubernetes_down, OF_KUBERNETES, kubernetes_address),
        (away.kubernetes_token_refused, OF_KUBERNETES, lambda _: "with 401: Unauthorized"),
        (away.repository_moved, OF_GIT, lambda box: str(repository.path(box))),
    ],
)
async def test_a_place_that_is_away_is_found_and_named_by_doctor_until_it_is_back(
    world: RealWorld,
    keyboard: Keyboard,
    goes: Away,
    expected: set[tuple[str, str]],
    named: Callable[[Box], str],
) -> None:
    await released(world, 1)
    before = await facts(world)

    await require_asked_until_it_is_back(
        world, keyboard, goes(world.box), expected, named(world.box)
    )

    assert await facts(world) == before


async def test_a_ledger_that_is_away_is_found_and_named_by_doctor_until_it_is_back(
    world: RealWorld, ledger_at: Moved, tmp_path: Path
) -> None:
    with postgres.serving() as server:
        await ledger_at(postgres.new_database(server.address))
        await released(world, 1)

        await require_asked_until_it_is_back(
            world,
            make_keyboard(world, tmp_path),
            stopped(server),
            {("SYS001", "the ledger")},
            server.address,
        )


async def require_asked_until_it_is_back(
    world: RealWorld,
    keyboard: Keyboard,
    away: AbstractContextManager[None],
    expected: set[tuple[str, str]],
    named: str,
) -> None:
    """Nothing but these is found; what they print says why, and that all is well once it is."""
    ports = await world.ports()
    with away:
        findings = but_for_news(await look(world, ports=ports))
        assert {(each.rule, place_of(each)) for each in findings} == expected
        [command] = {each.remedy.command for each in findings}
        assert named in await keyboard.type(command, NOT_IN_ORDER)
    await keyboard.type(command)
    assert await found(world, ports=await world.ports()) == {}


def place_of(finding: Finding) -> str:
    """What a place is called; a registry is told by the repository that is in it."""
    return "the registry" if "/" in finding.about else finding.about


@contextmanager
def stopped(server: postgres.Server) -> Iterator[None]:
    """The server does not run as long as the context lasts."""
    server.stop()
    try:
        yield
    finally:
        server.start()

"""A target that was never deployed: that is found, and its first deploy, as printed, ends it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flows.auditing import audit
from sandbox import example, pulumi
from slipway.domain.finding import Finding
from tests.sandbox.audit.keyboard import Keyboard
from tests.sandbox.audit.looking import released
from tests.sandbox.releases.real_world import RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

GATEWAY = "gateway-prod"
PROGRAM = "cluster/Pulumi.yaml"
TARGET = """
[targets.gateway-prod]
image = "{repository}"
folder = "gateway"
stack = "{stack}"
environment = "{organization}/default/{environment}"
key = "oceanid-cluster:gatewayImage"
namespace = "apps"
deployment = "gateway"
container = "gateway"
"""


async def test_a_target_that_was_never_deployed_is_found_and_deployed_for_the_first_time(
    world: RealWorld, keyboard: Keyboard
) -> None:
    await released(world, 1)

    with a_new_service(world):
        [finding] = await found_at_the_gateway(world)
        assert finding.rule == "SYS008"
        assert finding.remedy.command.endswith(" --first")
        await keyboard.type(finding.remedy.command)

        assert await found_at_the_gateway(world) == []
        assert len(await world.running(GATEWAY)) == 1


async def found_at_the_gateway(world: RealWorld) -> list[Finding]:
    """What an audit finds at the new service's target."""
    return list((await audit([await world.ports(GATEWAY)])).findings)


@contextmanager
def a_new_service(world: RealWorld) -> Iterator[None]:
    """Git and slipway.toml have a third service, like the sink, as long as the context lasts."""
    program, definition = world.file(PROGRAM), world.esc.definition()
    configuration = world.box.folder() / "slipway.toml"
    before = configuration.read_text()
    shutil.copytree(world.clone / "sink", world.clone / "gateway")
    world.commit(files={PROGRAM: with_a_gateway(program)})
    configuration.write_text(before + new_target(before))
    try:
        yield
    finally:
        configuration.write_text(before)
        shutil.rmtree(world.clone / "gateway")
        world.commit(files={PROGRAM: program})
        world.operator.up()
        world.esc.edit(lambda _: definition)


def with_a_gateway(program: str) -> str:
    """The program with a Deployment like the sink's."""
    sinks = program[program.index("  annotations-sink:\n") :]
    mine = sinks[: sinks.index("  annotations-sink-service:\n")]
    mine = mine.replace("annotations-sink", "gateway").replace("name: sink", "name: gateway")
    mine = mine.replace("${sinkImage}", "${gatewayImage}")
    declared = "  sinkImage: {type: string}\n"
    named = declared.replace("sinkImage", "gatewayImage")
    return program.replace(declared, declared + named).replace(sinks, mine + sinks)


def new_target(configuration: str) -> str:
    """The lines of slipway.toml, in the registry that the others use."""
    found = re.search(r'^image = "(.*)/[^/]+"$', configuration, re.MULTILINE)
    assert found is not None
    return TARGET.format(
        repository=f"{found.group(1)}/gateway",
        stack=example.STACK,
        organization=pulumi.ORGANIZATION,
        environment=example.ENVIRONMENT,
    )

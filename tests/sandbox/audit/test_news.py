"""What waits to be deployed, and what has become old: told, mended as printed, and gone."""

from datetime import UTC, datetime, timedelta

import docker
import pytest

from sandbox import docker_engine
from sandbox.example_images import BASE_IMAGE
from slipway.domain.auditing.running_rules import OLD_DAYS, STALE_DAYS
from slipway.domain.finding import Finding, Severity
from slipway.domain.image import ImageReference
from slipway.domain.release import Release, State
from tests.sandbox.audit.keyboard import Keyboard
from tests.sandbox.audit.looking import look, released
from tests.sandbox.releases.real_world import RealWorld

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

DOCKERFILE = "adapter/Dockerfile"
NEWER_BASE = "example-base:2"


@pytest.mark.parametrize(
    ("days", "severity"), [(0, Severity.INFO), (STALE_DAYS + 1, Severity.WARNING)]
)
async def test_a_newer_commit_is_found_as_news_and_later_as_a_warning_and_deployed(
    world: RealWorld, keyboard: Keyboard, days: int, severity: Severity
) -> None:
    await released(world, 1)
    newer = world.commit()
    at = datetime.now(UTC) + timedelta(days=days)

    [finding] = await everything(world, at)
    assert (finding.rule, finding.severity) == ("IMG011", severity)
    await keyboard.type(finding.remedy.command)

    assert await everything(world, at) == []
    assert (await world.newest()).release.commit == newer


async def test_an_image_is_old_in_half_a_year_until_it_is_built_anew_from_a_newer_base(
    world: RealWorld,
) -> None:
    """There is no command: a person does what is said."""
    [now] = await released(world, 1)
    # A moment when this image is old, and one that is built from now on is not.
    at = await made(world, now) + timedelta(days=OLD_DAYS + 1)
    assert await everything(world) == []

    [finding] = await everything(world, at)
    assert (finding.rule, finding.severity) == ("IMG011", Severity.INFO)
    assert finding.about == f"age of {now.image}"
    said = f"name a newer base image in {DOCKERFILE}, commit that, and deploy the commit"
    assert (finding.remedy.sentence, finding.remedy.command) == (said, "")
    newer = world.commit(files={DOCKERFILE: from_a_newer_base(world)})
    outcome = await world.deploy(newer)
    assert outcome.state is State.LIVE, outcome.release.reason

    assert await everything(world, at) == []


async def everything(world: RealWorld, at: datetime | None = None) -> list[Finding]:
    """All that is found at the adapter, news too."""
    return list((await look(world, at)).findings)


async def made(world: RealWorld, release: Release) -> datetime:
    """When a release's image was built."""
    image = await (await world.eyes()).registry.find(ImageReference.parse(release.image))
    assert image is not None
    assert image.created is not None
    return image.created


def from_a_newer_base(world: RealWorld) -> str:
    """The Dockerfile, on a base that somebody has published since."""
    engine = docker.DockerClient(base_url=docker_engine.engine(world.box), version="auto")
    name, _, tag = NEWER_BASE.partition(":")
    assert engine.images.get(BASE_IMAGE).tag(name, tag)
    engine.close()
    return world.file(DOCKERFILE).replace(f"FROM {BASE_IMAGE}\n", f"FROM {NEWER_BASE}\n")

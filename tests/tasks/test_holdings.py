"""What an audit asks the registry, and how often."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.domain.auditing.picture import Holdings, Memory
from slipway.domain.image import Digest, ImageReference
from slipway.domain.publication import REVISION_LABEL
from slipway.domain.scheduling import Node
from slipway.ports import Ports
from slipway.tasks.asking import Together
from slipway.tasks.holdings import find_holdings
from slipway.tasks.pulling import try_pull
from tests.clients.recorded import INDEX, OCI_MANIFEST, REPOSITORY, Recorded
from tests.fakes.world import World

NOW, BEFORE = "1" * 40, "2" * 40
NODES = (Node("one", "linux/amd64"),)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def ports_to(recorded: Recorded) -> Ports:
    """A world whose registry is the real client's."""
    ports = World.seeded().ports()
    service = replace(ports.target.service, repository=REPOSITORY)
    return replace(ports, target=replace(ports.target, service=service), registry=recorded.client())


async def looked_up(
    ports: Ports, memory: Memory, image: str = "", *, every_tag: bool = False
) -> Holdings:
    """What is held, where the Deployment asks for an image, and nothing else names one."""
    seen = await ports.cluster.observe(ports.target.workload)
    assert seen is not None
    config = await ports.config.read(ports.target.config_key)
    silent = replace(config, value=None)
    async with Together() as together:
        return await find_holdings(
            ports,
            together,
            (silent, replace(seen, image=image), memory, NODES),
            every_tag=every_tag,
        )


def asked(recorded: Recorded) -> Sequence[tuple[str, str]]:
    """Each question that the registry has answered: its method, and what of."""
    return [
        (each.method, each.url.path.rpartition("/")[2])
        for each in recorded.requests
        if each.url.path != "/token" and "authorization" in each.headers
    ]


def an_index(recorded: Recorded, tag: str) -> Digest:
    """Two platforms, each with an attestation, as BuildKit pushes them."""
    labels = {REVISION_LABEL: tag}
    named = []
    for architecture in ("amd64", "arm64"):
        image = recorded.add_image(labels=labels, platform=("linux", architecture))
        platform = {"os": "linux", "architecture": architecture}
        attested = recorded.add_manifest(OCI_MANIFEST, {"of": image})
        kind = {"vnd.docker.reference.type": "attestation-manifest"}
        named.append({"digest": image, "platform": platform})
        named.append({"digest": attested, "annotations": kind})
    return Digest(recorded.add_manifest(INDEX, {"mediaType": INDEX, "manifests": named}, tag))


async def test_of_every_tag_no_more_is_asked_than_what_it_names(recorded: Recorded) -> None:
    tags = [f"{number:040x}" for number in range(300)]
    digests = {tag: Digest(recorded.add_image(tag, {REVISION_LABEL: tag})) for tag in tags}
    gone = "f" * 40

    held = await looked_up(
        ports_to(recorded), Memory(published={**digests, gone: digests[tags[0]]}), every_tag=True
    )

    assert held.tags == {**digests, gone: None, "main": None}
    assert sorted(asked(recorded)) == sorted(("HEAD", tag) for tag in (*tags, gone, "main"))
    refused = [each for each in recorded.requests if "authorization" not in each.headers]
    assert len(refused) == 1, "whoever asks before the first has a token is refused as well"


async def test_a_tag_that_names_its_digest_still_vouches_for_the_image(recorded: Recorded) -> None:
    now, before = (
        ImageReference(REPOSITORY, tag, Digest(recorded.add_image(tag, {REVISION_LABEL: tag})))
        for tag in (NOW, BEFORE)
    )
    recorded.manifests["main"] = recorded.manifests[NOW]

    held = await looked_up(ports_to(recorded), Memory(ways_back=(before,)), str(now))

    main, image = held.main, held.images[str(now)]
    assert main is image is not None
    assert image.revision == NOW
    assert held.tags == {NOW: now.digest, BEFORE: before.digest, "main": now.digest}
    heads = [what for method, what in asked(recorded) if method == "HEAD"]
    assert sorted(heads) == sorted([NOW, BEFORE, "main"])


async def test_an_image_whose_tag_was_taken_away_is_found_by_its_digest(recorded: Recorded) -> None:
    now = ImageReference(REPOSITORY, NOW, Digest(recorded.add_image(labels={REVISION_LABEL: NOW})))
    before = ImageReference(REPOSITORY, BEFORE, Digest(recorded.add_image("x", {"of": "before"})))
    other = Digest(recorded.add_image(BEFORE, {"of": "another"}))

    held = await looked_up(ports_to(recorded), Memory(ways_back=(before,)), str(now))

    found = [held.images[str(each)] for each in (now, before)]
    assert [each.digest if each else None for each in found] == [now.digest, before.digest]
    assert (held.tags[NOW], held.tags[BEFORE]) == (None, other)


async def test_a_tag_that_names_no_image_any_more_hides_nothing(recorded: Recorded) -> None:
    now = ImageReference(REPOSITORY, NOW, Digest(recorded.add_image(labels={REVISION_LABEL: NOW})))
    junk = Digest(recorded.add_manifest(INDEX, {"manifests": "none"}, NOW))

    held = await looked_up(ports_to(recorded), Memory(), str(now))

    image = held.images[str(now)]
    assert image is not None
    assert image.digest == now.digest
    assert held.tags[NOW] == junk


async def test_an_audit_of_indices_that_have_not_changed_asks_ten_times(
    recorded: Recorded, tmp_path: Path
) -> None:
    """Each has two platforms, and what BuildKit attests of them; of all this nothing changed."""
    now, before = (
        ImageReference(REPOSITORY, tag, an_index(recorded, tag)) for tag in (NOW, BEFORE)
    )
    recorded.manifests["main"] = recorded.manifests[NOW]
    recorded.accounts["puller"] = "pull-password"
    world, memory = ports_to(recorded), Memory(ways_back=(before,))
    seen = await world.cluster.observe(world.target.workload)
    assert seen is not None

    async def audited() -> int:
        recorded.requests.clear()
        ports = replace(world, registry=recorded.client(kept=tmp_path))
        held = await looked_up(ports, memory, str(now))
        async with Together() as together:
            pulls = await try_pull(ports, together, replace(seen, image=str(now)), parts=False)
        assert [each.problem or each.missing for each in pulls] == [""]
        assert {len(each.platforms) for each in held.images.values() if each} == {2}
        return len(recorded.asked())

    await audited()
    assert await audited() == 10


async def test_what_main_is_is_read_where_nothing_else_is_it(recorded: Recorded) -> None:
    ahead = Digest(recorded.add_image("main", {REVISION_LABEL: BEFORE}))

    held = await looked_up(ports_to(recorded), Memory())

    assert held.tags == {"main": ahead}
    assert held.main is not None
    assert held.main.revision == BEFORE

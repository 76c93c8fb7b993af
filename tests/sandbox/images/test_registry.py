"""The registry client and a real registry with token authentication agree with skopeo."""

import json
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from sandbox.image_registry import folder
from sandbox.token_issuer.accounts import PULLER, revoked
from slipway.clients.docker import DockerBuilder
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.domain.image import Digest, ImageReference
from slipway.errors import AccessDenied, ImageMissing, Unreachable
from slipway.ports import PullCredentials
from tests.sandbox.images.conftest import ImageSide
from tests.sandbox.images.test_publishing import make_tree

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def published(images: ImageSide, builder: DockerBuilder, tmp_path: Path) -> ImageReference:
    service = images.service("read")
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\nCOPY a /\n", a="read")
    reference = ImageReference(service.repository, "5" * 40)
    await builder.push(await builder.build(tree, service, {"a": "b"}), reference)
    return reference


async def test_digest_and_configuration_are_those_that_skopeo_sees(
    images: ImageSide, registry: OciRegistry, published: ImageReference
) -> None:
    image = await registry.find(published)

    manifest = images.skopeo("inspect", "--raw", f"docker://{published}").stdout
    witness = json.loads(images.skopeo("inspect", f"docker://{published}").stdout)
    assert image is not None
    assert image.digest == Digest(witness["Digest"])
    assert Digest(json.loads(manifest)["config"]["digest"]) in image.accepted


async def test_the_registry_would_convert_for_a_client_that_accepts_anything(
    images: ImageSide, registry: OciRegistry, published: ImageReference
) -> None:
    """The trap that the four media types avoid, still there in docker-registry 2.8.2."""
    async with httpx.AsyncClient() as careless:
        token = await careless.get(
            images.issuer,
            params={"service": images.host, "scope": f"repository:{published.path}:pull"},
            auth=(PULLER, images.account(PULLER).password),
        )
        answer = await careless.get(
            f"http://{published.host}/v2/{published.path}/manifests/{published.tag}",
            headers={"Authorization": f"Bearer {token.json()['token']}", "Accept": "*/*"},
        )

    assert answer.json()["schemaVersion"] == 1
    assert answer.headers["docker-content-digest"] != str(await registry.digest(published))


async def test_what_is_not_there_is_nothing(images: ImageSide, registry: OciRegistry) -> None:
    repository = images.service("read").repository

    assert await registry.find(ImageReference(repository, "no-such-tag")) is None
    missing = Digest(f"sha256:{'0' * 64}")
    assert await registry.find(ImageReference(repository, digest=missing)) is None
    assert await registry.tags(images.service("no-such-repository").repository) == []


async def test_a_tag_moves_byte_by_byte(
    images: ImageSide, registry: OciRegistry, published: ImageReference
) -> None:
    image = await registry.find(published)
    assert image is not None

    await registry.tag(image, "main")

    at_main = images.skopeo("inspect", "--raw", f"docker://{published.repository}:main").stdout
    at_commit = images.skopeo("inspect", "--raw", f"docker://{published}").stdout
    assert at_main == at_commit
    assert set(await registry.tags(published.repository)) >= {"main", str(published.tag)}


async def test_a_probe_tells_five_ends_apart(
    images: ImageSide, registry: OciRegistry, published: ImageReference
) -> None:
    good = images.credentials(PULLER)

    await registry.probe(published, good)
    with pytest.raises(AccessDenied, match=r"token issuer .* rejects account puller"):
        await registry.probe(
            published, PullCredentials(good.host, PULLER, SecretStr("canary-wrong"))
        )
    with pytest.raises(AccessDenied, match="denies an anonymous request"):
        await registry.probe(published, None)
    with pytest.raises(ImageMissing):
        await registry.probe(ImageReference(published.repository, "no-such-tag"), good)
    with pytest.raises(Unreachable):
        await registry.probe(ImageReference("127.0.0.1:1/oceanid/read", "x"), good)


async def test_a_revoked_account_is_rejected_from_the_next_look_on(
    images: ImageSide, registry: OciRegistry, published: ImageReference
) -> None:
    good = images.credentials(PULLER)

    with revoked(folder(images.box), PULLER), pytest.raises(AccessDenied, match="revoked"):
        await registry.probe(published, good)

    await registry.probe(published, good)


async def test_a_deleted_image_is_missing_although_it_was_known(
    images: ImageSide, builder: DockerBuilder, registry: OciRegistry, tmp_path: Path
) -> None:
    service = images.service("deleted")
    tree = make_tree(tmp_path, Dockerfile="FROM scratch\nCOPY a /\n", a="deleted")
    reference = ImageReference(service.repository, "6" * 40)
    await builder.push(await builder.build(tree, service, {}), reference)
    assert await registry.find(reference) is not None

    assert images.skopeo("delete", f"docker://{reference}").returncode == 0

    assert await registry.find(reference) is None
    with pytest.raises(ImageMissing):
        await registry.probe(reference, images.credentials(PULLER))


async def test_an_image_is_found_by_anybody_who_may_pull(
    images: ImageSide, published: ImageReference
) -> None:
    async with RegistrySession(images.credentials(PULLER)) as session:
        client = OciRegistry(session)
        image = await client.find(published)
        assert image is not None
        with pytest.raises(AccessDenied, match="account puller"):
            await client.tag(image, "main")


def test_oauth_by_post_is_answered_so_that_containerd_falls_back(images: ImageSide) -> None:
    answer = httpx.post(images.issuer)

    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED

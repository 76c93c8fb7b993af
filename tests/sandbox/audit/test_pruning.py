"""What consists of parts is pruned whole or not at all, with skopeo as the witness."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sandbox import image_registry
from sandbox.example_images import REPOSITORIES
from sandbox.github.api import Api
from sandbox.github.deliveries import Hook
from sandbox.github.packages import Packages, RegistryShelf
from sandbox.github.shown import Shown
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.domain.image import Digest
from slipway.domain.signature import signature_tag
from tests.sandbox.audit.by_hand import apply_by_hand
from tests.sandbox.audit.keyboard import Keyboard
from tests.sandbox.audit.looking import found_of_everything, released, repository
from tests.sandbox.audit.manifests import (
    days_ago,
    put_attestation,
    put_image,
    put_index,
    put_signature,
)
from tests.sandbox.releases.real_world import RealWorld
from tests.sandbox.serving import serving
from tests.sandbox.witness import copy_whole, digest_in_registry, is_in_registry
from tests.signing import Signer

pytestmark = [pytest.mark.sandbox, pytest.mark.long, pytest.mark.timeout(900)]

AMD, ARM = "linux/amd64", "linux/arm64"


class Pusher:
    """Somebody who pushes images of several platforms, each with an attestation and a signature."""

    def __init__(self, world: RealWorld, path: str) -> None:
        self._box, self._path, self._signer = world.box, path, Signer()

    def part(self, commit: str, architecture: str = "amd64") -> Digest:
        """An image for one platform, two months old."""
        made = days_ago(60)
        return put_image(
            self._box, self._path, commit, made, tagged=False, architecture=architecture
        )

    def index(self, commit: str, arm: Digest, amd: Digest | None = None) -> list[Digest]:
        """An index, attested and signed: itself, its signature, its platforms, its attestation.

        It has the commit's tag unless its image for AMD is given, which has it already.
        """
        attestation = put_attestation(self._box, self._path)
        parts = {amd or self.part(commit): AMD, arm: ARM, attestation: None}
        index = put_index(self._box, self._path, parts, "" if amd else commit)
        signed = self._signer.sign(index, self._path)
        return [index, put_signature(self._box, self._path, index, signed), *parts]


async def test_what_is_needed_stays_whole_with_its_signature_and_the_rest_goes_whole(
    world: RealWorld, keyboard: Keyboard, tmp_path: Path
) -> None:
    """An old image that shares a part with what runs stays; what old ones share goes with them."""
    [now] = await released(world, 1)
    path = await repository(world)
    pusher = Pusher(world, path)
    old = [world.commit(days_old=60).sha for _ in range(3)]
    shared = [pusher.part(commit, "arm64") for commit in (str(now.commit), old[1])]
    runs = pusher.index(str(now.commit), shared[0], now.digest)
    beside = pusher.index(old[0], shared[0])
    needless = [pusher.index(each, shared[1]) for each in old[1:]]
    await apply_by_hand(world, f"{path}:{now.commit}@{runs[0]}")

    assert len(await held(world, path, needless)) == 9  # one of their parts they share

    findings = await found_of_everything(world)
    assert set(findings) == {"IMG016"}
    await keyboard.type(findings["IMG016"].remedy.command)

    assert await found_of_everything(world) == {}
    for each in (runs, beside):
        await asyncio.to_thread(require_whole, world, path, each, tmp_path / each[0].value)
    assert await held(world, path, needless) == set()


@pytest.mark.parametrize("option", ["", "--json"])
async def test_what_github_deleted_can_be_restored_by_the_number_that_the_command_printed(
    world: RealWorld, keyboard: Keyboard, option: str
) -> None:
    await released(world, 1)
    path, tag = await repository(world), world.commit(days_old=60).sha
    digest = await asyncio.to_thread(put_image, world.box, path, tag, days_ago(60))

    with at_github(world) as package:
        plan = json.loads(await keyboard.type(f"slipway prune {path} --json"))
        assert str(digest) in {each["digest"] for each in plan["deletions"]}
        printed = await keyboard.type(f"slipway prune {path} --apply {plan['plan']} {option}")
        assert await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{tag}") is None
        number = number_of(digest, printed)
        answer = await asyncio.to_thread(package.post, f"versions/{number}/restore")
        answer.raise_for_status()

    restored = await asyncio.to_thread(digest_in_registry, world.box, f"{path}:{tag}")
    assert restored == str(digest)


def number_of(digest: Digest, printed: str) -> str:
    """By which number an image is restored, as it was printed for scripts or for people."""
    if printed.startswith("{"):
        return str(json.loads(printed)["restored_by"][str(digest)])
    line = next(each for each in printed.splitlines() if digest.short in each)
    return str(re.findall(r"restored by version (\d+)", line)[0])


@contextmanager
def at_github(world: RealWorld) -> Iterator[httpx.Client]:
    """Deletions go to GitHub's API as long as the context lasts; gives the package's own part."""
    box, account = world.box, image_registry.accounts(world.box)[PUBLISHER]
    owner, _, package = REPOSITORIES["adapter"].partition("/")
    hook = Hook("http://127.0.0.1:1/github", "secret", box.folder("github") / "none.jsonl")
    shown = Shown("http://127.0.0.1:1/repos/acme/shop", lambda _: True)
    api = Api("acme/shop", account.password, shown, hook, Packages(owner, RegistryShelf(box)))
    configuration = box.folder() / "slipway.toml"
    before = configuration.read_text()
    with serving(api.app()) as address:
        told = f'packages = "orgs/{owner}"\npackages_api = "{address}"\ninsecure = true'
        configuration.write_text(before.replace("insecure = true", told))
        client = httpx.Client(
            base_url=f"{address}/orgs/{owner}/packages/container/{package}/",
            headers={"Authorization": f"Bearer {account.password}"},
        )
        try:
            with client:
                yield client
        finally:
            configuration.write_text(before)


async def held(world: RealWorld, path: str, images: list[list[Digest]]) -> set[Digest]:
    """What the registry has of these."""
    return {
        each
        for image in images
        for each in image
        if await asyncio.to_thread(is_in_registry, world.box, f"{path}@{each}")
    }


def require_whole(world: RealWorld, path: str, image: list[Digest], folder: Path) -> None:
    """What was pushed can be copied out of the registry, with every part and the signature."""
    index, signature, *parts = image
    copied = copy_whole(world.box, f"{path}@{index}", folder)
    assert copied == {str(each) for each in (index, *parts)}
    signed = copy_whole(world.box, f"{path}:{signature_tag(index)}", folder / "signature")
    assert signed == {str(signature)}

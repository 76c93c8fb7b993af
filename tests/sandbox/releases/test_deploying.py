"""Deploys on real parts: live, refused, restored."""

import json
import re
from dataclasses import replace

import pytest
from pydantic import SecretStr

from sandbox import image_registry
from sandbox.token_issuer.accounts import READER
from slipway.clients.docker import DockerBuilder
from slipway.domain.image import ImageReference
from slipway.domain.release import Outcome, State
from slipway.domain.target import Allowance
from slipway.ports import PullCredentials
from tests.sandbox.releases.real_world import (
    SINK,
    RealWorld,
    before_up,
    before_write,
)

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(300),
    # Clients of one release are left to the garbage collector when a test's loop ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def refused(world: RealWorld, wanted: object, code: str, **options: object) -> Outcome:
    """Deploy something that must change nothing that deploys."""
    before = (await world.value(), await world.versions(), await world.running())
    outcome = await world.deploy(str(wanted), **options)
    assert outcome.state is State.REFUSED, outcome.release.reason
    assert outcome.code == code, outcome.release.reason
    assert before == (await world.value(), await world.versions(), await world.running())
    return outcome


async def restored(world: RealWorld, outcome: Outcome, before: tuple[object, object]) -> None:
    """What must be so after a restore: the old digest runs, and the old value stands."""
    assert outcome.state is State.RESTORED, outcome.release.reason
    value, running = before
    assert (await world.value())[0] == value
    assert await world.running() == running
    last = (await (await world.ports()).stack.state()).last_update
    assert last is not None
    assert last.result == "succeeded"


async def live(world: RealWorld) -> tuple[object, object]:
    """A fresh good commit, live: the value and the digests to come back to."""
    outcome = await world.deploy(world.commit())
    assert outcome.state is State.LIVE, outcome.release.reason
    return (await world.value())[0], await world.running()


async def test_a_good_commit_goes_live_and_a_second_time_nothing_happens(world: RealWorld) -> None:
    commit = world.commit()
    definition = world.definition()
    sink = await world.observe(SINK)

    first = await world.deploy(commit.short)
    pinned, versions = await world.value(), await world.versions()
    second = await world.deploy(commit)

    assert first.state is State.LIVE, first.release.reason
    assert pinned[0] == first.release.image
    assert first.release.commit == commit
    assert world.definition().replace(first.release.image, "X") == definition.replace(
        definition.split("adapterImage: ")[1].split()[0], "X"
    )
    assert second.code == "unchanged"
    assert (pinned, versions) == (await world.value(), await world.versions())
    after = await world.observe(SINK)
    assert [pod.name for pod in after.pods] == [pod.name for pod in sink.pods]
    main = await (await world.ports()).registry.find(
        ImageReference((await world.ports()).target.service.repository, "main")
    )
    assert main is not None
    assert main.digest == first.release.digest


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("0" * 40, "unknown-commit"),
        ("a" * 41, "invalid-input"),
        ("ABCDEF0" * 5 + "ABCDE", "invalid-input"),
        ("main", "invalid-input"),
    ],
)
async def test_what_is_not_a_commit_is_refused(world: RealWorld, wanted: str, code: str) -> None:
    await refused(world, wanted, code)


async def test_an_ambiguous_commit_is_refused(world: RealWorld) -> None:
    history = json.loads((world.box.root / "history.json").read_text())

    await refused(world, history["twin_a"][:7], "ambiguous-commit")


async def test_what_does_not_compile_is_refused_and_leaves_no_tag(world: RealWorld) -> None:
    commit = world.commit("does-not-compile")

    await refused(world, commit, "build-failed")

    ports = await world.ports()
    assert commit.sha not in await ports.registry.tags(ports.target.service.repository)


async def test_a_push_that_is_denied_is_refused_and_leaves_no_tag(world: RealWorld) -> None:
    account = image_registry.accounts(world.box)[READER]
    ports = await world.ports()
    assert isinstance(ports.builder, DockerBuilder)
    host = image_registry.host(world.box)
    reader = PullCredentials(host, account.username, SecretStr(account.password))
    commit = world.commit()

    await refused(
        world,
        commit,
        "access-denied",
        ports=replace(ports, builder=replace(ports.builder, credentials=reader)),
    )

    assert commit.sha not in await ports.registry.tags(ports.target.service.repository)


async def test_a_tag_with_another_commits_label_is_refused_and_stays(world: RealWorld) -> None:
    await live(world)
    ports = await world.ports()
    repository = ports.target.service.repository
    other = await ports.registry.find(ImageReference(repository, "main"))
    assert other is not None
    commit = world.commit()
    await ports.registry.tag(other, commit.sha)

    await refused(world, commit, "tag-conflict")

    there = await ports.registry.find(ImageReference(repository, commit.sha))
    assert there is not None
    assert there.digest == other.digest


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("crashes", "exit code 7"),
        ("out-of-memory", "OOMKilled"),
        ("never-ready", "not ready within 15 s"),
    ],
)
async def test_an_image_that_does_not_run_is_restored_with_its_cause(
    world: RealWorld, behaviour: str, says: str
) -> None:
    before = await live(world)

    outcome = await world.deploy(
        world.commit(behaviour), ports=await world.ports(ready_within=15.0)
    )

    await restored(world, outcome, before)
    assert says in outcome.release.reason


async def test_an_image_deleted_before_the_pull_is_restored(world: RealWorld) -> None:
    before = await live(world)
    commit = world.commit()
    ports = await world.ports()

    async def delete() -> None:
        found = await ports.registry.find(
            ImageReference(ports.target.service.repository, commit.sha)
        )
        assert found is not None
        world.delete_image(found)

    outcome = await world.deploy(commit, ports=before_up(ports, delete))

    await restored(world, outcome, before)
    assert "ErrImagePull" in outcome.release.reason
    assert "not found" in outcome.release.reason


async def test_a_pull_secret_revoked_after_preflight_is_restored(world: RealWorld) -> None:
    before = await live(world)
    revocation = world.revoked_pull_account()

    async def revoke() -> None:
        revocation.__enter__()

    try:
        outcome = await world.deploy(world.commit(), ports=before_up(await world.ports(), revoke))
    finally:
        revocation.__exit__(None, None, None)

    await restored(world, outcome, before)
    assert "ErrImagePull" in outcome.release.reason


async def test_a_pull_secret_that_is_rejected_is_refused_at_preflight(world: RealWorld) -> None:
    with world.revoked_pull_account():
        outcome = await refused(world, world.commit(), "pull-secret-unusable")

    assert "ghcr-creds" in outcome.release.reason


async def test_a_pull_secret_that_is_missing_is_refused_at_preflight(world: RealWorld) -> None:
    secret = world.kubectl("get", "secret", "ghcr-creds", "--output=json")
    world.kubectl("delete", "secret", "ghcr-creds")
    try:
        outcome = await refused(world, world.commit(), "pull-secret-unusable")
    finally:
        restored_secret = json.loads(secret)
        for name in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
            restored_secret["metadata"].pop(name, None)
        world.kubectl(
            "apply",
            "--server-side",
            "--field-manager=pulumi-kubernetes",
            "--filename=-",
            stdin=json.dumps(restored_secret),
        )

    assert "does not exist" in outcome.release.reason


async def test_an_esc_key_that_is_missing_is_refused(world: RealWorld) -> None:
    definition = world.definition()
    world.edit(lambda text: text.replace("oceanid-cluster:adapterImage:", "oceanid-cluster:gone:"))
    try:
        before = await world.versions()
        outcome = await world.deploy(world.commit())
    finally:
        world.edit(lambda _: definition)

    assert outcome.code == "config-key-unusable", outcome.release.reason
    assert await world.versions() == before


async def test_an_image_that_somebody_pins_meanwhile_is_left_to_them(world: RealWorld) -> None:
    await live(world)
    definition = world.definition()
    ports = await world.ports()
    theirs = f"{ports.target.service.repository}:main"
    value = (await world.value())[0]
    assert value is not None

    async def edit() -> None:
        world.edit(lambda text: text.replace(value, theirs))

    outcome = await world.deploy(world.commit(), ports=before_write(ports, edit))

    assert (outcome.state, outcome.code) == (State.REFUSED, "config-changed")
    assert (await world.value())[0] == theirs
    assert "operator" in outcome.release.reason
    world.edit(lambda _: definition)


async def test_somebody_elses_other_key_is_kept_and_the_release_goes_live(world: RealWorld) -> None:
    async def edit() -> None:
        world.edit(lambda text: text.replace('pager:  "on"', 'pager:  "off"'))

    outcome = await world.deploy(world.commit(), ports=before_write(await world.ports(), edit))

    assert outcome.state is State.LIVE, outcome.release.reason
    assert 'pager:  "off"' in world.definition()


async def test_a_program_that_fails_at_preview_is_refused(world: RealWorld) -> None:
    program = world.clone / "cluster" / "Pulumi.yaml"
    text = program.read_text()
    broken = world.commit(files={"cluster/Pulumi.yaml": text.replace("${sinkImage}", "${gone}", 1)})

    await refused(world, broken, "preview-failed")

    world.commit(files={"cluster/Pulumi.yaml": text})


async def test_a_program_that_changes_more_than_the_image_is_refused_unless_allowed(
    world: RealWorld,
) -> None:
    program = world.clone / "cluster" / "Pulumi.yaml"
    text = program.read_text()
    wider = world.commit(files={"cluster/Pulumi.yaml": text.replace("64Mi", "96Mi")})

    outcome = await refused(world, wider, "not-image-only")
    path = "spec.template.spec.containers[0].resources.limits.memory"
    urns = [
        f"urn:pulumi:prod::oceanid-cluster::kubernetes:apps/v1:Deployment::{name}"
        for name in ("ls-triton-adapter", "annotations-sink")
    ]
    printed = re.findall("--allow-change '(.*?)'", outcome.release.reason)
    allowed = await world.deploy(wider, allow_changes=tuple(map(Allowance.parse, printed)))

    for urn in urns:
        assert f"{urn}:{path}" in outcome.release.reason
    assert allowed.state is State.LIVE, allowed.release.reason


async def test_an_image_changed_with_kubectl_is_refused_naming_field_and_manager(
    world: RealWorld,
) -> None:
    await live(world)
    image = (await world.observe()).image
    world.kubectl(
        "set", "image", "deployment/ls-triton-adapter", f"adapter={image.partition('@')[0]}"
    )
    try:
        outcome = await world.deploy(world.commit())
    finally:
        world.hand_back("ls-triton-adapter", image)

    assert outcome.code in {"deployment-unfit", "preflight-failed"}, outcome.release.reason
    assert "kubectl-set" in outcome.release.reason
    assert ".image" in outcome.release.reason


async def test_a_broken_provider_is_told_in_the_engines_words_and_the_other_pin_is_seen(
    world: RealWorld,
) -> None:
    await live(world)
    value = (await world.value(SINK))[0]
    assert value is not None
    other = f"{value.rpartition(':')[0]}:main"
    world.edit(lambda text: text.replace(value, other))
    try:
        outcome = await world.deploy(world.commit())
    finally:
        world.edit(lambda text: text.replace(other, value))

    assert outcome.code == "not-image-only", outcome.release.reason
    assert "::annotations-sink:" in outcome.release.reason
    assert "operator" in outcome.release.reason

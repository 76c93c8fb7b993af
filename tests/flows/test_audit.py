"""The audit on the seed's system in memory: it finds what is there, and nothing that is not."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from flows import auditing
from flows.audit import as_prefect_state
from flows.auditing import Report, audit, finding_rows
from flows.deploy import release as deploy
from flows.pruning import plan
from flows.rollback import release as roll_back
from slipway.domain.agreement import Unknown
from slipway.domain.commit import Commit
from slipway.domain.config import KeyForm
from slipway.domain.finding import Changes, Severity
from slipway.domain.hold import NewHold, NewVeto
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Options, Phase
from slipway.domain.retention import Policy
from slipway.errors import ConfigKeyUnusable, SlipwayError, Unreachable
from slipway.tasks import audit_report
from slipway.tasks.lineage import LOOKED_AT, last_change
from tests.fakes.images import make_image
from tests.fakes.restrictions import EPOCH
from tests.fakes.world import World, deploy_request, reference_of, rollback_request, summary
from tests.signing import Signer

SINK = "annotations-sink-prod"
DAY = EPOCH + timedelta(days=1)
DAYS_LATER = 2 * 86400.0
Spoil = Callable[[World], Awaitable[None] | None]


async def look(world: World, *, record: bool = False, days: int = 1) -> Report:
    every = [world.ports(name) for name in world.targets]
    return await audit(every, record=record, at=EPOCH + timedelta(days=days))


async def released(*names: str) -> World:
    """A world in which these commits were deployed, one after the other; the last is the head."""
    world = World.seeded()
    for name in names:
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert summary(outcome).startswith("live"), summary(outcome)
        await asyncio.sleep(60)
    # The neighbour has the image that was pushed by hand before Slipway came, without a label.
    asked = deploy_request(world.commits["first"].sha, Options(adopt_image=True))
    assert summary(await deploy(world.ports(SINK), asked)).startswith("live")
    world.git.branches["main"] = world.commits[names[-1]].sha
    return world


def found(report: Report) -> set[tuple[str, str]]:
    return {(each.rule, each.target.split("-")[-2]) for each in report.findings}


def ids(report: Report) -> set[str]:
    return {each.rule for each in report.findings}


def overwritten(world: World) -> None:
    tag = world.commits["second"].sha
    label = {"org.opencontainers.image.revision": tag}
    world.registry.put(world.target.service.repository, tag, make_image("mallory's", label))


def gone(world: World) -> None:
    digest = world.digest_of("third")
    assert digest is not None
    world.registry.delete(world.target.service.repository, digest)


def no_way_back(world: World) -> None:
    for name in ("first", "second"):
        digest = world.digest_of(name)
        assert digest is not None
        world.registry.delete(world.target.service.repository, digest)


def main_moved(world: World) -> None:
    [second] = [
        image
        for (_, digest), image in world.registry.images.items()
        if digest == world.digest_of("second")
    ]
    world.registry.put(world.target.service.repository, "main", second)


def edited(world: World) -> None:
    world.config.edit("bob", adapterImage=reference_of(world, "second"))


def set_image(world: World) -> None:
    world.cluster.set_image(world.deployment, reference_of(world, "second"), "kubectl-set")


def revoked(world: World) -> None:
    world.registry.passwords.clear()


def no_secret(world: World) -> None:
    world.cluster.secrets.clear()


async def held_long_ago(world: World) -> None:
    await world.ledger.place_hold(world.target.name, NewHold("freeze", "bob"))


async def died(world: World) -> None:
    request = deploy_request(world.commits["second"].sha)
    release = await world.ledger.open(world.target, request)
    lease = await world.ledger.acquire(str(world.target.stack), release.id, 1.0)
    assert lease is not None
    await world.ledger.save(replace(release.at(Phase.DECIDED), fence=lease.fence))
    await asyncio.sleep(5)


def crashing(world: World) -> None:
    for each in world.deployment.pods:
        each.image = None
        each.refused = "manifest unknown"


def arm_node(world: World) -> None:
    world.cluster.platforms = frozenset({"linux/amd64", "linux/arm64"})


def secret_key(world: World) -> None:
    world.config.edit("bob", adapterImage=KeyForm.SECRET)


def shadowed(world: World) -> None:
    world.stack.shadows[world.target.config_key.key] = "elsewhere/image"


def not_read(world: World) -> None:
    world.stack.unread.add(world.target.config_key.key)


def deleted(world: World) -> None:
    world.cluster.deployments.pop(("apps", world.deployment.name))


def argo(world: World) -> None:
    world.deployment.replicas_managers = ("argocd-controller",)


def elsewhere(world: World) -> None:
    world.config.edit("bob", adapterImage="ghcr.io/mallory/adapter:1")


def newer(world: World) -> None:
    world.git.commit("more", {"adapter/app.py": "good 4"})


def another_digest(world: World) -> None:
    for each in world.deployment.pods:
        each.image = make_image("old", {})


def unlabelled(world: World) -> None:
    world.change_image("third", labels={})


def old(world: World) -> None:
    world.change_image("third", created=EPOCH - timedelta(days=200))


def ways_back_of_another_platform(world: World) -> None:
    for name in ("first", "second"):
        world.change_image(name, platforms=frozenset({"linux/arm64"}))


async def no_secret_named(world: World) -> None:
    """And a node has to pull, which has no credentials of its own."""
    for each in (world.deployment, world.neighbour):
        each.pull_secrets = ()
    world.cluster.restart_pods(world.deployment)
    await asyncio.sleep(5)


CONDITIONS: dict[str, tuple[Spoil, set[str]]] = {
    "image deleted": (gone, {"IMG001"}),
    "secret revoked": (revoked, {"IMG003"}),
    "secret deleted": (no_secret, {"IMG003"}),
    "no secret named": (no_secret_named, {"IMG003", "IMG013"}),
    "tag overwritten": (overwritten, {"IMG004"}),
    ":main moved": (main_moved, {"IMG005"}),
    "ESC edited": (edited, {"IMG006"}),
    "kubectl set image": (set_image, {"IMG006", "IMG011", "SYS004"}),
    "pod on another digest": (another_digest, {"IMG007"}),
    "node of another platform": (arm_node, {"IMG010"}),
    "no label": (unlabelled, {"IMG009"}),
    "a newer commit": (newer, {"IMG011"}),
    "an old image": (old, {"IMG011"}),
    "the ways back are for other nodes": (ways_back_of_another_platform, {"IMG012"}),
    "no way back": (no_way_back, {"IMG012"}),
    "pods can't pull": (crashing, {"IMG013"}),
    "another repository in ESC": (elsewhere, {"IMG006", "IMG015"}),
    "key shadowed": (shadowed, {"SYS002"}),
    "key not read": (not_read, {"SYS002"}),
    "another tool": (argo, {"SYS003"}),
    "key secret": (secret_key, {"SYS005"}),
    "hold forgotten": (held_long_ago, {"SYS006"}),
    "release interrupted": (died, {"SYS007"}),
    "Deployment deleted": (deleted, {"SYS008"}),
}
NEIGHBOURS_TOO = {"secret revoked", "secret deleted", "node of another platform"}
"""Conditions that trouble the other target as well: they share registry, nodes and secret."""


async def test_a_system_that_was_deployed_by_hand_is_quiet_but_for_what_waits() -> None:
    """And but for its images, of which nothing says from which commits they were built."""
    assert ids(await look(World.seeded())) == {"IMG009", "IMG011"}


async def test_a_released_system_is_quiet() -> None:
    assert ids(await look(await released("second", "third"))) == set()


@pytest.mark.parametrize("what", CONDITIONS)
async def test_a_condition_is_found_as_exactly_what_it_is(what: str) -> None:
    spoil, expected = CONDITIONS[what]
    world = await released("second", "third")
    done = spoil(world)
    if done is not None:
        await done

    report = await look(world, days=30)

    assert ids(report) == expected
    others = {each.target for each in report.findings} - {world.target.name}
    assert bool(others) is (what in NEIGHBOURS_TOO)


async def test_nodes_that_pull_without_a_secret_are_no_trouble_and_it_is_said() -> None:
    world = await released("second", "third")
    for each in (world.deployment, world.neighbour):
        each.pull_secrets = ()
    world.cluster.nodes_have_credentials = True

    report = await look(world)

    assert ids(report) == set()
    assert {name: list(rules) for name, rules in report.not_judged.items()} == {
        name: ["IMG003"] for name in world.targets
    }
    assert all("registries.yaml" in each.why for each in report.gaps)


@pytest.mark.parametrize(
    ("effect", "rules"),
    [
        ("source.fetch", {"SYS001"}),
        ("registry.find", {"IMG002"}),
        ("config.read", {"SYS001"}),
        ("stack.state", {"SYS001"}),
        ("cluster.observe", {"SYS001"}),
    ],
)
async def test_a_place_that_does_not_answer_is_unknown_and_nothing_is_missing(
    effect: str, rules: set[str]
) -> None:
    world = await released("second", "third")
    world.faults.always(effect, Unreachable("no route to host"))

    report = await look(world)

    assert ids(report) == rules
    assert all("no route to host" in each.seen for each in report.findings)


@pytest.mark.parametrize(
    ("effects", "rule"),
    [
        (["source.fetch"], "SYS001"),
        (["registry.find", "registry.probe"], "IMG002"),
        (["cluster.observe"], "SYS001"),
    ],
)
async def test_what_is_unknown_only_because_another_place_is_is_told_of_that_place_alone(
    effects: list[str], rule: str
) -> None:
    world = await released("second", "third")
    for each in effects:
        world.faults.always(each, Unreachable("no route to host"))

    found = (await look(world)).findings
    assert [each.rule for each in found if each.target == world.target.name] == [rule]


async def test_a_place_that_fails_once_is_no_finding() -> None:
    world = await released("second", "third")
    world.faults.before("config.read", _raise(Unreachable("a blink")))

    assert ids(await look(world)) == set()


@pytest.mark.parametrize("spoil", [edited, set_image], ids=["ESC", "kubectl"])
async def test_what_is_on_the_move_between_two_looks_is_no_finding(spoil: Spoil) -> None:
    world = await released("second", "third")
    value = world.value

    async def come_and_go() -> None:
        spoil(world)
        await asyncio.sleep(1.0)
        world.config.edit("bob", adapterImage=value)
        assert value is not None
        world.cluster.set_image(world.deployment, value)

    changing = asyncio.create_task(come_and_go())
    await asyncio.sleep(0.0)

    assert ids(await look(world)) == set()
    await changing


async def test_what_is_deployed_from_elsewhere_lacks_what_the_branch_has() -> None:
    world = await released("second", "third")
    world.git.branch("side", world.commits["second"])
    side = world.git.commit("fix", {"adapter/app.py": "good 2b"}, branch="side")
    repository = world.target.service.repository
    image = make_image("good 2b", {"org.opencontainers.image.revision": side.sha})
    world.registry.put(repository, side.sha, image)
    world.config.edit("bob", adapterImage=f"{repository}:{side}")
    world.resources[0].recorded = f"{repository}:{side}"
    world.cluster.set_image(world.deployment, f"{repository}:{side}")
    await asyncio.sleep(30)

    [found] = (await look(world)).findings

    assert found.rule == "IMG011"
    assert found.remedy.command.endswith(world.commits["third"].sha)


async def test_the_last_change_is_found_behind_however_many_that_change_nothing() -> None:
    world = World.seeded()
    last = world.commits["third"]
    world.git.branches["main"] = last.sha
    for number in range(LOOKED_AT * 3):
        world.git.commit("docs", {"adapter/README.md": f"read me {number}"})

    changed = await last_change(world.ports(), Commit(world.git.branches["main"]))

    assert changed is not None
    assert changed.commit == last


async def test_a_scheduled_audit_tells_what_is_new_what_persists_and_what_is_gone() -> None:
    world = await released("second", "third")
    value = world.value
    edited(world)

    first, again = await look(world, record=True), await look(world, record=True)
    world.config.edit("bob", adapterImage=value)
    last = await look(world, record=True)

    def changes(report: Report) -> tuple[int, int, int]:
        [mine] = [each for each in report.targets if each.target == world.target.name]
        assert isinstance(mine.changes, Changes)
        return len(mine.changes.new), len(mine.changes.persisting), len(mine.changes.gone)

    assert [changes(each) for each in (first, again, last)] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


async def test_what_an_audit_told_before_it_died_is_told_again_and_nothing_is_told_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await released("second", "third")
    edited(world)
    told: list[str] = []

    async def tell(changes: Changes | Unknown) -> None:
        assert isinstance(changes, Changes)
        told.extend(each.finding.rule for each in changes.new)

    monkeypatch.setattr(auditing, "tell_changes", tell)
    every = [world.ports(name) for name in world.targets]
    with monkeypatch.context() as dying:
        dying.setattr(world.ledger, "record_findings", _dies)
        with pytest.raises(KeyboardInterrupt):
            await auditing.audit_and_report(every)
    assert told == ["IMG006"]

    await auditing.audit_and_report(every)
    await auditing.audit_and_report(every)

    assert told == ["IMG006", "IMG006"]


async def test_a_finding_that_matters_more_with_time_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await released("second", "third")
    newer(world)
    told: list[tuple[str, str, str]] = []

    async def tell(event: str, _: object, payload: dict[str, str]) -> None:
        told.append((event, payload["id"], payload["severity"]))

    monkeypatch.setattr(audit_report, "tell", tell)
    for days in (1, 30, 31):
        for each in (await look(world, record=True, days=days)).targets:
            await audit_report.tell_changes(each.changes)

    assert told == [
        ("slipway.finding.new", "IMG011", "info"),
        ("slipway.finding.raised", "IMG011", "warning"),
    ]


async def test_a_pod_on_another_digest_is_not_gone_because_another_pod_is_not_ready() -> None:
    world = await released("second", "third")
    world.cluster.scale(world.deployment, 2)
    await asyncio.sleep(30)
    wrong, other = world.deployment.pods
    wrong.image = make_image("old", {})
    await look(world, record=True)

    other.unready_until = asyncio.get_running_loop().time() + 20
    unready = await look(world, record=True)
    await asyncio.sleep(30)
    again = await look(world, record=True)

    assert (ids(unready), unready.gone) == ({"IMG007"}, [])
    assert "IMG007" in unready.not_judged[world.target.name]
    assert set(again.states.values()) == {"persisting"}


async def test_a_new_pod_whose_first_pull_fails_is_no_finding_before_a_release_would_blame_it() -> (
    None
):
    world = await released("second", "third")
    world.cluster.scale(world.deployment, 2)
    new = world.deployment.pods[-1]
    new.image, new.refused = None, "net/http: TLS handshake timeout"

    async def look_after(seconds: float) -> Report:
        await asyncio.sleep(seconds)
        at = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
        return await audit([world.ports()], at=at)

    early, late = await look_after(1.5), await look_after(30)

    assert ids(early) == set()
    assert "TLS handshake timeout" in early.not_judged[world.target.name]["IMG013"]
    assert ids(late) == {"IMG013"}


async def typed(world: World, command: str) -> str:
    """How the release ends that a finding's command asks for."""
    words = shlex.split(command)
    assert words[2] == world.target.name
    if words[1] == "deploy":
        return summary(await deploy(world.ports(), deploy_request(words[3])))
    assert words[1] == "rollback"
    return summary(await roll_back(world.ports(), rollback_request()))


async def test_what_is_printed_where_the_live_commit_is_vetoed_is_not_refused() -> None:
    world = await released("second", "third")
    leaks = NewVeto(world.commits["third"], "it leaks", "ada")
    await world.ledger.place_veto(world.target.name, leaks)
    edited(world)

    [found] = (await look(world)).findings

    assert found.rule == "IMG006"
    assert (await typed(world, found.remedy.command)).startswith("live")
    assert "IMG006" not in ids(await look(world))


async def test_what_is_printed_of_pods_that_kubectl_has_let_crash_is_no_refused_deploy() -> None:
    world = await released("second", "third")
    world.publish("crashing")
    world.cluster.set_image(world.deployment, reference_of(world, "crashing"), "kubectl-set")
    await asyncio.sleep(60)

    [found] = [each for each in (await look(world)).findings if each.rule == "IMG013"]

    assert f"={world.resources[0].recorded} " in found.remedy.command
    assert "kubectl apply --server-side --force-conflicts" in found.remedy.command


async def _dies(*_: object) -> Changes:
    raise KeyboardInterrupt


async def test_what_could_not_be_told_is_not_kept_so_that_the_next_audit_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await released("second", "third")
    edited(world)

    async def not_told() -> bool:
        return False

    with monkeypatch.context() as away:
        away.setattr(auditing, "all_told", not_told)
        await auditing.audit_and_report([world.ports()])
    again = await auditing.audit_and_report([world.ports()])

    [mine] = again.targets
    assert isinstance(mine.changes, Changes)
    assert [each.finding.rule for each in mine.changes.new] == ["IMG006"]


async def test_what_nobody_could_compare_is_not_kept_before_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await released("second", "third")
    edited(world)

    async def fail(*_: object) -> Changes:
        raise Unreachable("no ledger: try again")

    with monkeypatch.context() as away:
        away.setattr(auditing, "_compare", fail)
        await auditing.audit_and_report([world.ports()])
    again = await auditing.audit_and_report([world.ports()])

    [mine] = again.targets
    assert isinstance(mine.changes, Changes)
    assert [each.finding.rule for each in mine.changes.new] == ["IMG006"]


async def test_findings_that_the_ledger_does_not_take_are_shown_and_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = await released("second", "third")
    edited(world)

    async def refuse(*_: object) -> Changes:
        raise Unreachable("no ledger: try again")

    monkeypatch.setattr(world.ledger, "record_findings", refuse)

    report = await auditing.audit_and_report([world.ports()])

    assert ids(report) == {"IMG006"}
    assert "were not kept, so the next audit tells them again: no ledger" in caplog.text


async def test_what_was_found_at_a_target_is_gone_once_it_is_registered_no_more() -> None:
    world = await released("second", "third")
    edited(world)
    both = [world.ports(name) for name in world.targets]
    await auditing.audit_and_report(both, complete=True)

    early = await auditing.audit_and_report([world.ports(SINK)], complete=True)
    assert not early.gone, "another registration may be looking after it"
    await asyncio.sleep(DAYS_LATER)
    some = await auditing.audit_and_report([world.ports(SINK)])
    rest = await auditing.audit_and_report([world.ports(SINK)], complete=True)
    again = await auditing.audit_and_report([world.ports(SINK)], complete=True)

    assert [[found.finding.rule for found in each.gone] for each in (some, rest, again)] == [
        [],
        ["IMG006"],
        [],
    ]
    assert await world.ledger.findings(world.target.name) == []


async def test_an_audit_that_a_person_types_takes_no_news_from_the_scheduled_one() -> None:
    world = await released("second", "third")
    edited(world)

    await look(world)
    scheduled = await look(world, record=True)

    news = [each for each in scheduled.targets if isinstance(each.changes, Changes)]
    assert [len(each.changes.new) for each in news if isinstance(each.changes, Changes)] == [1, 0]


def unapplied(report: Report) -> str:
    [finding] = [each for each in report.findings if each.rule == "IMG006"]
    return finding.seen


async def test_an_unapplied_value_is_told_with_who_wrote_it_not_who_wrote_another_key() -> None:
    world = await released("second", "third")
    edited(world)
    number = world.config.latest.number
    world.config.edit("mallory", unrelated="x")

    seen = unapplied(await look(world))

    assert f"since revision {number} by bob: nobody has applied it" in seen
    assert "mallory" not in seen


@pytest.mark.parametrize("error", [Unreachable("no route"), ConfigKeyUnusable("no: mend it")])
async def test_who_wrote_an_unapplied_value_is_all_that_is_missing_where_it_can_not_be_told(
    error: SlipwayError,
) -> None:
    world = await released("second", "third")
    edited(world)
    world.faults.always("config.set_in", error)

    report = await look(world)

    assert ids(report) == {"IMG006"}
    assert f"at revision {world.config.latest.number}: nobody has" in unapplied(report)
    assert not report.not_judged


async def test_a_quiet_system_is_not_asked_who_wrote_what() -> None:
    world = await released("second", "third")
    world.faults.effects.clear()

    await look(world)

    assert "config.set_in" not in world.faults.effects


async def test_an_audit_changes_nothing() -> None:
    world = await released("second", "third")
    writes = {"config.write", "stack.up", "registry.tag", "builder.push", "cluster.restart"}
    world.faults.effects.clear()

    await look(world)

    assert not writes & set(world.faults.effects)


async def test_what_targets_share_is_asked_once() -> None:
    world = await released("second", "third")
    world.faults.effects.clear()

    await look(world)

    assert world.faults.effects.count("source.fetch") == 1
    assert world.faults.effects.count("stack.state") == 1
    assert world.faults.effects.count("source.checkout") == 1


async def test_every_tag_that_was_ever_published_is_looked_up_when_asked_for() -> None:
    world = await released("second", "third")
    world.commits["fourth"] = world.git.commit("fourth", {"adapter/app.py": "good 4"})
    tag = ImageReference(world.target.service.repository, world.commits["fourth"].sha)
    await world.ledger.record_published(tag, world.publish("fourth").digest)  # and never live
    world.git.branches["main"] = world.commits["third"].sha
    world.registry.put(tag.repository, tag.tag or "", make_image("mallory's", {}))

    quick = await audit([world.ports()], at=DAY)
    deep = await audit([world.ports()], every_tag=True, at=DAY)

    assert (ids(quick), ids(deep)) == (set(), {"IMG004"})


async def test_a_tag_that_was_found_overwritten_is_looked_up_until_it_is_mended() -> None:
    """It is not gone because an audit that looks at fewer tags does not come by."""
    world = await released("second", "third")
    old = ImageReference(world.target.service.repository, "4" * 40)
    good = make_image("old", {})
    await world.ledger.record_published(old, good.digest)  # and never live
    world.registry.put(old.repository, "4" * 40, make_image("mallory's", {}))
    ports = [world.ports()]

    deep = await audit(ports, every_tag=True, record=True, at=DAY)
    quick = await audit(ports, record=True, at=DAY)
    world.registry.put(old.repository, "4" * 40, good)
    mended = await audit(ports, record=True, at=DAY)

    assert [ids(each) for each in (deep, quick, mended)] == [{"IMG004"}, {"IMG004"}, set()]
    assert [len(each.gone) for each in (deep, quick, mended)] == [0, 0, 1]
    assert not quick.not_judged


async def test_a_registry_that_answers_slowly_about_very_many_tags_is_not_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await released("second", "third")
    repository = world.target.service.repository
    for number in range(4_000):
        image = make_image(f"old {number}", {})
        await world.ledger.record_published(
            ImageReference(repository, f"{number:040x}"), image.digest
        )
        world.registry.put(repository, f"{number:040x}", image)
    answer = world.registry.digest

    async def slowly(reference: ImageReference) -> Digest | None:
        await asyncio.sleep(2)
        return await answer(reference)

    monkeypatch.setattr(world.registry, "digest", slowly)
    report = await audit([world.ports()], every_tag=True, at=DAY)

    assert report.findings == []


async def test_what_another_audit_finds_meanwhile_is_not_gone_for_one_that_began_before() -> None:
    world = await released("second", "third")
    old = ImageReference(world.target.service.repository, "4" * 40)
    await world.ledger.record_published(old, make_image("old", {}).digest)  # and never live
    world.registry.put(old.repository, "4" * 40, make_image("mallory's", {}))
    ports = [world.ports()]

    async def every_tag() -> None:
        await audit(ports, every_tag=True, record=True, at=DAY)

    world.faults.before("registry.find", every_tag)
    quick = await audit(ports, record=True, at=DAY)

    assert (ids(quick), list(quick.gone)) == ({"IMG004"}, [])
    assert ids(await audit(ports, record=True, at=DAY)) == {"IMG004"}


async def test_what_nobody_needs_is_told_once_and_only_of_all_targets() -> None:
    world = await released("second", "third")
    world.publish("sick")  # and never live
    every, later = [world.ports(name) for name in world.targets], EPOCH + timedelta(days=365)

    quick = await audit(every, complete=True, at=later)
    some = await audit(every[:1], every_tag=True, at=later)
    whole = await audit(every, every_tag=True, complete=True, at=later)

    assert "IMG016" not in ids(quick) | ids(some)
    assert all("IMG016" in each.judged.unjudged for each in (*quick.targets, *some.targets))
    assert not quick.not_judged
    assert not whole.not_judged
    assert "name no target" in some.not_judged[world.target.name]["IMG016"]
    state = as_prefect_state(some, Severity.CRITICAL)
    assert "IMG016" in (state.message or "")
    [found] = [each for each in whole.findings if each.rule == "IMG016"]
    assert found.about == world.target.service.repository
    planned = await plan(every[:1], Policy(), later)
    assert found.remedy.command.endswith(f"--apply {planned.hash}")


def stray(world: World) -> None:
    world.config.edit("bob", oldImage=f"ghcr.io/acme/shop/old:{world.commits['second']}")


async def whole(world: World, **more: bool) -> Report:
    every = [world.ports(name) for name in world.targets]
    return await audit(every, complete=True, at=DAY, **more)


async def test_a_key_of_esc_that_nothing_reads_is_told_once_and_only_of_all_targets() -> None:
    world = await released("second", "third")
    stray(world)

    some = await audit([world.ports()], at=DAY)
    for report in (await whole(world), await whole(world, every_tag=True)):
        [found] = [each for each in report.findings if each.rule != "IMG016"]
        assert (found.rule, found.target) == ("SYS009", world.target.name)
        assert found.about == "acme/default/oceanid-cluster pulumiConfig.oceanid-cluster:oldImage"
        assert found.remedy.command == (
            "pulumi env rm acme/default/oceanid-cluster "
            "'pulumiConfig[\"oceanid-cluster:oldImage\"]'"
        )
    world.config.edit("bob", oldImage=None)

    assert ids(some) == set()
    assert not some.not_judged
    assert ids(await whole(world)) == set()


async def test_what_some_targets_show_ends_no_finding_of_a_key_that_nothing_reads() -> None:
    world = await released("second", "third")
    stray(world)
    await whole(world, record=True)

    some = await audit([world.ports()], record=True, at=DAY)

    assert (ids(some), some.gone) == ({"SYS009"}, [])


async def test_a_key_of_esc_that_the_program_reads_needs_no_target() -> None:
    world = await released("second", "third")
    stray(world)
    world.resources[1].key = "oldImage"

    assert "SYS009" not in ids(await whole(world))


async def test_keys_that_can_not_be_read_are_not_judged_and_nothing_else_is_missing() -> None:
    world = await released("second", "third")
    stray(world)
    world.faults.always("config.plain_values", Unreachable("no route to host"))

    report = await whole(world)

    assert ids(report) == set()
    assert report.not_judged == {world.target.name: {"SYS009": "no route to host"}}


async def test_programs_are_looked_at_once_for_all_keys_that_nothing_reads() -> None:
    world = await released("second", "third")
    world.faults.effects.clear()
    await whole(world)
    effects = list(world.faults.effects)
    assert effects.count("config.plain_values") == 1
    assert effects.count("source.checkout") == 1
    for number in range(3):
        world.config.edit("bob", **{f"old{number}": f"ghcr.io/acme/shop/old:{number}"})
    world.faults.effects.clear()

    assert len((await whole(world)).findings) == 3

    looks = world.faults.effects.count("config.plain_values")
    assert world.faults.effects.count("source.fetch") == looks
    assert world.faults.effects.count("source.checkout") == looks


async def test_an_image_is_signed_once_its_targets_key_vouches_for_it() -> None:
    world, signer = await released("second", "third"), Signer()
    world.change_target(service=replace(world.target.service, signed_by=signer.public))
    digest = world.digest_of("third")
    assert digest is not None
    repository = world.target.service.repository

    before = await look(world)
    world.registry.signed[repository, digest] = [signer.sign(digest, repository)]
    after = await look(world)

    assert (ids(before), ids(after)) == ({"IMG014"}, set())


async def test_the_report_says_whether_it_reaches_a_severity() -> None:
    world = await released("second", "third")
    edited(world)

    report = await look(world)

    assert report.worst is Severity.ERROR
    assert report.reaches(Severity.WARNING)
    assert not report.reaches(Severity.CRITICAL)
    assert not report.reaches(None)


def _raise(error: Exception) -> Callable[[], None]:
    def fault() -> None:
        raise error

    return fault


async def test_what_stands_is_still_told_while_it_can_not_be_looked_at() -> None:
    """A registry that is down must not turn an overwritten tag green."""
    world = await released("second", "third")
    overwritten(world)
    before = await look(world, record=True)
    world.faults.always("registry.find", Unreachable("no route to host"))

    report = await look(world, record=True)

    assert "IMG004" in ids(before) & ids(report)
    assert report.reaches(Severity.CRITICAL)
    assert report.gone == []
    assert "IMG004" in report.not_judged[world.target.name]
    state = as_prefect_state(report, Severity.CRITICAL)
    assert state.type.value == "FAILED"
    assert "2 of 2 targets could not be judged whole" in (state.message or "")
    assert "no route to host" in (state.message or "")
    rows = [each for each in finding_rows(report) if each["state"] == "not judged"]
    assert {(each["target"], each["seen"]) for each in rows} == {
        (target, "no route to host") for target in world.targets
    }


async def test_nothing_found_is_not_called_quiet_where_something_was_not_judged() -> None:
    world = await released("second", "third")
    await world.ledger.acquire(str(world.target.stack), "somebody", 3600.0)

    report = await look(world)

    assert report.findings == []
    assert set(report.not_judged) == set(world.targets)
    state = as_prefect_state(report, Severity.CRITICAL)
    assert (state.type.value, state.name) == ("COMPLETED", "Not judged")


async def test_what_is_gone_stands_in_the_report_and_in_the_runs_message() -> None:
    world = await released("second", "third")
    value = world.value
    edited(world)
    await look(world, record=True)
    world.config.edit("bob", adapterImage=value)

    report = await look(world, record=True)

    assert [each.finding.rule for each in report.gone] == ["IMG006"]
    assert [(row["id"], row["state"]) for row in finding_rows(report)] == [("IMG006", "gone")]
    state = as_prefect_state(report, Severity.CRITICAL)
    assert state.name == "Quiet"
    assert state.message == "2 targets, nothing found; 1 gone"

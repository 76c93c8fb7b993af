"""Where the pod template names no commit, an audit judges by the label of the image that runs."""

import asyncio
from dataclasses import replace

import pytest

from flows.auditing import Report, audit
from flows.deploy import release as deploy
from slipway.domain.auditing.picture import Lineage
from slipway.errors import Unreachable
from slipway.tasks.audit_report import what_runs
from tests.fakes.images import make_image
from tests.fakes.restrictions import EPOCH
from tests.fakes.world import World, deploy_request

FORMS = {"by :main": "{repository}:main", "by its digest": "{repository}@{digest}"}
WITHOUT = "names no commit, and neither does the label org.opencontainers.image.revision"


async def named(form: str) -> World:
    """The third commit is live, the head, and named by hand without its commit."""
    world = World.seeded()
    for name in ("second", "third"):
        outcome = await deploy(world.ports(), deploy_request(world.commits[name].sha))
        assert outcome.release.live_since is not None, outcome.release.reason
    world.git.branches["main"] = world.commits["third"].sha
    repository, digest = world.target.service.repository, world.digest_of("third")
    image = FORMS[form].format(repository=repository, digest=digest)
    world.config.edit("bob", adapterImage=image)
    world.resources[0].recorded = image
    world.cluster.set_image(world.deployment, image)
    await asyncio.sleep(60)
    return world


async def look(world: World) -> Report:
    return await audit([world.ports()], at=EPOCH)


def ids(report: Report) -> set[str]:
    return {each.rule for each in report.findings} - {"IMG008"}  # which `:main` is


def lineage(report: Report) -> Lineage:
    found = report.targets[0].picture.git
    assert isinstance(found, Lineage)
    return found


@pytest.mark.parametrize("form", FORMS)
async def test_the_last_change_of_what_runs_is_told_by_its_label(form: str) -> None:
    world = await named(form)

    report = await look(world)

    assert (ids(report), report.not_judged) == (set(), {})
    last = lineage(report).last_change
    assert last is not None
    assert last.commit == world.commits["third"]
    row = what_runs(report.targets[0].picture)
    assert (row["last change"].split()[0], row["behind"]) == (last.commit.short, "0")


@pytest.mark.parametrize("form", FORMS)
async def test_a_commit_that_waits_is_found_by_the_label(form: str) -> None:
    world = await named(form)
    world.git.commit("more", {"adapter/app.py": "good 4"})

    report = await look(world)

    assert ids(report) == {"IMG011"}
    assert lineage(report).deployed is not None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("label", ["", "v1.2", "e" * 40])
async def test_without_a_label_that_git_knows_it_is_not_judged_whether_a_commit_waits(
    form: str, label: str
) -> None:
    world = await named(form)
    world.git.commit("more", {"adapter/app.py": "good 4"})
    world.change_image("third", labels={"org.opencontainers.image.revision": label})

    report = await look(world)

    assert "IMG011" not in ids(report)
    reasons = report.not_judged[world.target.name]
    known = f"git does not know commit {label[:7]}" if len(label) == 40 else WITHOUT
    assert list(reasons) == ["IMG011"]
    assert known in reasons["IMG011"]
    row = what_runs(report.targets[0].picture)
    assert (row["last change"], row["behind"]) == ("?", "?")


async def test_while_main_has_moved_on_what_runs_is_judged_by_its_own_label() -> None:
    world = await named("by :main")
    fourth = world.git.commit("more", {"adapter/app.py": "good 4"})
    label = {"org.opencontainers.image.revision": fourth.sha}
    newer = replace(make_image("good 4", label), created=EPOCH)
    world.registry.put(world.target.service.repository, "main", newer)

    report = await look(world)

    deployed = lineage(report).deployed
    assert deployed is not None
    assert deployed.commit == world.commits["third"]
    assert ids(report) == {"IMG007", "IMG011"}


async def test_without_the_registry_no_label_tells_anything_and_what_was_found_stands() -> None:
    world = await named("by :main")
    world.git.commit("more", {"adapter/app.py": "good 4"})
    await audit([world.ports()], at=EPOCH, record=True)
    world.faults.always("registry.find", Unreachable("no route to ghcr.io"))

    report = await look(world)

    assert "IMG011" in ids(report)
    assert report.gone == []
    assert report.not_judged[world.target.name]["IMG011"] == "no route to ghcr.io"


async def test_what_waits_stands_while_the_cluster_can_not_be_asked_what_is_deployed() -> None:
    world = await named("by its digest")
    world.git.commit("more", {"adapter/app.py": "good 4"})
    await audit([world.ports()], at=EPOCH, record=True)
    world.faults.always("cluster.observe", Unreachable("no route to the API server"))

    report = await look(world)

    assert "IMG011" in ids(report)
    assert report.gone == []
    row = what_runs(report.targets[0].picture)
    assert (row["last change"], row["behind"]) == ("?", "?")


async def test_a_commits_tag_of_a_commit_that_git_has_lost_is_not_judged() -> None:
    world = await named("by :main")
    repository, lost = world.target.service.repository, "e" * 40
    world.registry.put(repository, lost, make_image("lost", {"x": "y"}))
    world.cluster.set_image(world.deployment, f"{repository}:{lost}")
    await asyncio.sleep(60)

    report = await look(world)

    assert "git does not know commit eeeeeee" in report.not_judged[world.target.name]["IMG011"]


async def test_what_is_to_run_is_the_commit_of_the_label() -> None:
    """Not one that the ledger had before it: what is typed takes nothing back."""
    world = await named("by :main")
    world.commits["fourth"] = world.git.commit("more", {"adapter/app.py": "good 4"})
    newer = world.publish("fourth")
    world.registry.put(world.target.service.repository, "main", newer)
    world.cluster.restart_pods(world.deployment)
    await asyncio.sleep(60)

    [moving] = [each for each in (await look(world)).findings if each.rule == "IMG008"]

    assert moving.remedy.command.split()[:4] == [
        "slipway",
        "deploy",
        world.target.name,
        world.commits["fourth"].sha,
    ]

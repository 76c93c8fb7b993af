"""Only the nodes that the pods may come to decide for which platforms an image must be."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from flows.deploy import release as deploy
from flows.rollback import release as roll_back
from slipway.domain.release import State
from slipway.domain.scheduling import Node, Placement, Requirement, Taint, Term
from tests.fakes.kubernetes import ARCH
from tests.fakes.world import World, deploy_request, rollback_request, summary
from tests.flows.test_audit import found, look, released

Change = Callable[[World], None]


def joined(world: World, **more: object) -> None:
    """A node of another platform has come."""
    labels = {"kubernetes.io/os": "linux", ARCH: "arm64"}
    made = replace(Node("arm", "linux/arm64", labels), **more)  # type: ignore[arg-type] # tests name real fields
    world.cluster.special_nodes.append(made)


def placed(world: World, placement: Placement) -> None:
    for each in world.cluster.deployments.values():
        each.placement = placement


def selected(world: World) -> None:
    joined(world)
    placed(world, Placement(((ARCH, "amd64"),)))


def required(world: World) -> None:
    joined(world)
    term = Term((Requirement(ARCH, "NotIn", ("arm64",)),))
    placed(world, Placement(terms=(term,)))


def tainted(world: World) -> None:
    joined(world, taints=(Taint("team", "NoSchedule", "vision"),))


def cordoned(world: World) -> None:
    joined(world, cordoned=True)


@pytest.mark.parametrize("change", [selected, required, tainted, cordoned])
async def test_a_node_that_the_pods_are_kept_off_asks_for_no_image(change: Change) -> None:
    world = await released("second", "third")
    change(world)

    assert found(await look(world)) == set()
    newer = world.git.commit("Serve more", {"adapter/app.py": "good 4"})
    gone_on = await deploy(world.ports(), deploy_request(newer.sha))
    await asyncio.sleep(60)
    gone_back = await roll_back(world.ports(), rollback_request())

    assert gone_on.state is State.LIVE, gone_on.release.reason
    assert gone_back.state is State.LIVE, gone_back.release.reason


async def test_a_node_that_is_in_trouble_just_now_will_take_pods_again() -> None:
    world = await released("second", "third")
    joined(world, taints=(Taint("team", "NoSchedule", "vision"),))
    joined(world, name="free", taints=(Taint("node.kubernetes.io/not-ready", "NoSchedule"),))

    findings = (await look(world)).findings
    [finding] = [each for each in findings if each.target == world.target.name]
    outcome = await roll_back(world.ports(), rollback_request())

    assert finding.rule == "IMG010"
    assert finding.remedy.command == "kubectl cordon free"
    assert "nodeSelector kubernetes.io/arch" in finding.remedy.sentence
    assert summary(outcome) == "refused: platform-missing"
    assert "let the program's nodeSelector keep its pods off them" in outcome.release.reason


async def test_targets_of_one_cluster_are_judged_each_by_its_own_pods() -> None:
    """The nodes themselves are asked for once."""
    world = await released("second", "third")
    joined(world)
    world.deployment.placement = Placement(((ARCH, "amd64"),))
    asked = 0
    nodes = world.cluster.nodes

    async def count() -> Sequence[Node]:
        nonlocal asked
        asked += 1
        return await nodes()

    world.cluster.nodes = count  # type: ignore[method-assign] # counts, and asks on
    report = await look(world)

    assert [each.target for each in report.findings if each.rule == "IMG010"] == [
        "annotations-sink-prod"
    ]
    assert asked == 2  # audits look twice where something seems wrong

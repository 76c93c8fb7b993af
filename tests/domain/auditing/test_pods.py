"""Rules about pods that are in trouble now, and not about those that once were."""

from dataclasses import replace
from datetime import timedelta

import pytest

from slipway.domain.auditing.picture import Applied, Picture
from slipway.domain.auditing.rules import judge
from slipway.domain.finding import Finding, Judged
from slipway.domain.node_credentials import denied_pull
from slipway.domain.rollout import PULL_GRACE, UNSCHEDULABLE_GRACE
from slipway.domain.workloads import Container, Pod, ReplicaSet
from tests.domain.auditing.pictures import (
    HEAD,
    LIVE,
    NOW,
    REFERENCE,
    REPOSITORY,
    TARGET,
    config,
    container,
    holdings,
    image,
    memory,
    picture,
    pod,
    restarted,
    workloads,
)
from tests.domain.auditing.troubled import OTHER, WAY


@pytest.mark.parametrize(
    "calm",
    [
        restarted(1, minutes_ago=5),
        restarted(40, minutes_ago=61),
        container(restarts=40, terminated="Error"),
        restarted(2, minutes_ago=5, terminated="Completed", exit_code=0, done=True),
    ],
    ids=["once", "long ago", "nobody knows when", "an init container that is done"],
)
def test_restarts_of_long_ago_and_a_single_one_are_no_trouble(calm: Container) -> None:
    assert judge(picture(cluster=workloads(pods=(pod(calm),)))).findings == ()


def test_a_container_that_restarts_is_one_trouble_whether_it_waits_or_runs() -> None:
    states = (
        restarted(3, 5),
        restarted(3, 5, ready=False, waiting="CrashLoopBackOff"),
        restarted(3, 5, ready=False),
    )

    found = [judge(picture(cluster=workloads(pods=(pod(each),)))).findings for each in states]

    assert len({each.fingerprint for [each] in found}) == 1
    assert {each.remedy.command for [each] in found} == {f"slipway restart {TARGET.name}"}


def test_a_container_that_needs_more_memory_is_told_so_while_it_runs_again_too() -> None:
    killed = replace(restarted(2, minutes_ago=5), terminated="OOMKilled")
    states = (killed, replace(killed, ready=False), replace(killed, waiting="CrashLoopBackOff"))

    found = [judge(picture(cluster=workloads(pods=(pod(each),)))).findings for each in states]

    assert {each.about for [each] in found} == {"container adapter, memory"}
    assert all("more memory" in each.remedy.sentence for [each] in found)


def test_pods_of_what_nobody_released_are_replaced_by_what_was_proven_live() -> None:
    by_hand = f"{REPOSITORY}:{HEAD}@{OTHER}"
    new = pod(container(ready=False, waiting="CrashLoopBackOff"), "b")
    pods = (pod(replica_set="adapter-0"), new)
    seen = picture(
        config=config(by_hand),
        stack=Applied(by_hand),
        cluster=workloads(image=by_hand, pods=pods),
        registry=holdings(images={by_hand: image(OTHER, HEAD), **WAY}),
    )

    [found] = judge(seen).findings

    assert found.rule == "IMG013"
    assert found.remedy.command == f"slipway deploy {TARGET.name} {LIVE}"


def test_a_pod_that_can_not_pull_what_is_gone_is_rolled_back_from_as_the_image_says() -> None:
    pods = (pod(), pod(container(ready=False, waiting="ImagePullBackOff"), "b"))
    gone = holdings(images={REFERENCE: None, **WAY})

    found = judge(picture(registry=gone, cluster=workloads(pods=pods))).findings

    assert {each.rule for each in found} == {"IMG001", "IMG013"}
    assert len({each.remedy.command for each in found}) == 1


def test_a_deployment_without_a_ready_pod_is_never_called_quiet() -> None:
    """A readiness probe that fails shows in no container's state."""
    unready = workloads(pods=(pod(container(ready=False)),))

    [found] = judge(picture(cluster=unready)).findings

    assert (found.rule, found.about) == ("IMG013", "readiness")
    assert "none of its 1 pods is ready" in found.seen
    assert found.remedy.command == f"slipway restart {TARGET.name}"


def test_pods_that_can_not_be_made_are_told_with_what_keeps_them_from_it() -> None:
    refused = (ReplicaSet("adapter-1", 1, REFERENCE, failure="exceeded quota: pods"),)

    [found] = judge(picture(cluster=workloads(pods=(), replica_sets=refused))).findings

    assert found.rule == "IMG013"
    assert "exceeded quota: pods" in found.seen
    assert "describe deployment" in found.remedy.command


def test_a_rollout_that_does_not_come_to_its_end_is_told_although_old_pods_serve() -> None:
    stuck = workloads(deadline_exceeded=True, pods=(pod(), pod(container(ready=False), "b")))

    [found] = judge(picture(cluster=stuck)).findings

    assert found.rule == "IMG013"
    assert "1 of 1 pods are ready" in found.seen


def test_a_deployment_that_was_scaled_to_nothing_has_no_pod_to_miss() -> None:
    assert judge(picture(cluster=workloads(replicas=0, updated=0, pods=()))).findings == ()


def test_a_container_that_ends_again_and_again_is_in_trouble_by_whatever_code() -> None:
    """Only an init container is to come to an end."""
    ends = restarted(2, minutes_ago=5, terminated="Completed", exit_code=0)

    assert ids(picture(cluster=workloads(pods=(pod(ends),)))) == {"IMG013"}


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize(
    "last",
    [
        container(ready=False, terminated="OOMKilled", exit_code=137),
        container(ready=False, waiting="CrashLoopBackOff"),
        container(ready=False, waiting="ErrImagePull", waiting_message="401 Unauthorized"),
    ],
    ids=["killed", "crashed", "denied"],
)
def test_a_pod_that_was_evicted_and_lies_about_is_no_trouble(last: Container, phase: str) -> None:
    seen = workloads(pods=(pod(), pod(last, "adapter-1-evicted", phase=phase)))

    assert judge(picture(cluster=seen)).findings == ()
    assert denied_pull(seen, last.name) == ""


SLOW = container(ready=False, waiting="ErrImagePull", waiting_message="TLS handshake timeout")
SYNC = "failed to sync configmap cache: timed out"


SPOKEN = "could not start: pull https://user:pw0rd@ghcr.io/acme/shop"


@pytest.mark.parametrize(
    ("state", "grace"),
    [
        (SLOW, PULL_GRACE),
        (replace(SLOW, waiting="ImagePullBackOff"), PULL_GRACE),
        (replace(SLOW, waiting_message="manifest unknown"), 0),
        (container(ready=False, waiting="CreateContainerError"), PULL_GRACE),
        (container(ready=False, waiting="InvalidImageName"), 0),
        (
            container(ready=False, waiting="CreateContainerConfigError", waiting_message=SYNC),
            PULL_GRACE,
        ),
    ],
)
def test_a_pod_has_as_long_to_start_as_a_release_gives_it(state: Container, grace: float) -> None:
    def judged(age: float, *beside: Pod) -> Judged:
        young = pod(state, "b", changed=NOW - timedelta(seconds=age))
        return judge(picture(cluster=workloads(pods=(*beside, young))))

    assert {each.rule for each in judged(grace, pod()).findings} == {"IMG013"}
    for age in (-3600, 0, grace - 1) if grace else ():
        for early in (judged(age, pod()), judged(age)):
            assert early.findings == ()
            assert "IMG013" in early.unjudged
            assert "pod b" in early.reasons["IMG013"]


def test_a_pod_has_as_long_to_find_a_node_as_a_release_gives_it() -> None:
    def judged(age: float) -> Judged:
        changed = NOW - timedelta(seconds=age)
        lost = pod(name="b", ready=False, unschedulable="no room", changed=changed)
        return judge(picture(cluster=workloads(pods=(pod(), lost))))

    assert judged(UNSCHEDULABLE_GRACE - 1).unjudged == {"IMG013"}
    assert {each.rule for each in judged(UNSCHEDULABLE_GRACE).findings} == {"IMG013"}


def test_a_pod_that_has_just_taken_the_place_of_the_only_one_may_come_up_yet() -> None:
    def judged(age: float) -> Judged:
        changed = NOW - timedelta(seconds=age)
        unready = pod(container(ready=False), changed=changed)
        return judge(picture(cluster=workloads(pods=(unready,))))

    assert "none of its 1 pods is ready" in judged(5).reasons["IMG013"]
    assert {each.rule for each in judged(PULL_GRACE).findings} == {"IMG013"}


def test_what_is_beyond_doubt_is_told_while_something_else_may_be_over_in_a_moment() -> None:
    pods = (pod(SLOW, "b", changed=NOW), pod(container(ready=False, waiting="CrashLoopBackOff")))

    assert ids(picture(cluster=workloads(pods=pods))) == {"IMG013"}


def test_a_trouble_that_stands_is_not_gone_because_a_younger_pod_has_it_now() -> None:
    crashing = pod(container(ready=False, waiting="CrashLoopBackOff"), "a")
    long_ago = pod(SLOW, "b", changed=NOW - timedelta(minutes=5))
    standing = judge(picture(cluster=workloads(pods=(crashing, long_ago)))).findings
    assert len(standing) == 2

    young = replace(long_ago, name="c", changed=NOW)
    again = judge(
        picture(cluster=workloads(pods=(crashing, young)), ledger=memory(standing=standing))
    )

    assert {each.fingerprint for each in again.findings} == {each.fingerprint for each in standing}


@pytest.mark.parametrize(
    "spoken",
    [
        pod(container(ready=False, waiting="CreateContainerError", waiting_message=SPOKEN)),
        pod(name="b", ready=False, unschedulable=SPOKEN),
    ],
    ids=["a container", "the scheduler"],
)
def test_no_secret_that_a_cluster_speaks_of_is_told_on(spoken: Pod) -> None:
    [found] = judge(picture(cluster=workloads(pods=(spoken,)))).findings

    assert "could not start" in found.seen
    assert "pw0rd" not in found.seen


@pytest.mark.parametrize("how", ["Error", "OOMKilled"])
@pytest.mark.parametrize("every", [35, 45, 60])
def test_a_container_that_ends_every_now_and_then_is_found_once_and_stays_so(
    every: int, how: str
) -> None:
    """Between the begin of one run and the end of the next is more than the hour."""
    standing: tuple[Finding, ...] = ()
    told = []
    for minute in range(2 * every, 600, 15):
        ends = minute // every
        began = minute - (ends - 1) * every
        seen = picture(
            cluster=workloads(pods=(pod(restarted(ends, began, terminated=how)),)),
            ledger=memory(standing=standing),
        )
        standing = judge(seen).findings
        told.append(len(standing))

    assert told == sorted(told)
    assert told[-1] == 1


def test_a_container_that_has_not_ended_for_long_is_well_again() -> None:
    standing = judge(picture(cluster=workloads(pods=(pod(restarted(2, 5)),)))).findings

    def stays(minutes: float) -> bool:
        seen = workloads(pods=(pod(restarted(2, minutes)),))
        return bool(judge(picture(cluster=seen, ledger=memory(standing=standing))).findings)

    assert standing
    assert (stays(180), stays(181)) == (True, False)


def ids(seen: Picture) -> set[str]:
    return {each.rule for each in judge(seen).findings}

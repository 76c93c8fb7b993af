"""The judge: which observations prove an image, disprove it, or ask for patience."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.domain.image import Digest
from slipway.domain.rollout import (
    PULL_GRACE,
    UNSCHEDULABLE_GRACE,
    Expectation,
    Judgement,
    ProvenPod,
    Verdict,
    Watch,
    judge,
    pod_to_show,
    proof_of,
)
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads, running_digest

OLD = Digest("sha256:" + "0" * 64)
NEW = Digest("sha256:" + "1" * 64)
CHILD = Digest("sha256:" + "2" * 64)
IMAGE, BEFORE = "ghcr.io/acme/app:new", "ghcr.io/acme/app:old"
EXPECTED = Expectation(IMAGE, frozenset({NEW, CHILD}), "app")


def container(**changes: object) -> Container:
    ready = Container("app", ready=True, image_id=f"ghcr.io/acme/app@{NEW}")
    return replace(ready, **changes)  # type: ignore[arg-type] # tests name real fields


def pod(name: str = "new-1", replica_set: str = "new", **changes: object) -> Pod:
    state = changes.pop("state", container())
    assert isinstance(state, Container)
    made = Pod(name, replica_set, ready=state.ready, containers=(state,))
    return replace(made, **changes)  # type: ignore[arg-type] # likewise


def old_pod(**changes: object) -> Pod:
    return pod("old-1", "old", state=container(image_id=f"x@{OLD}"), **changes)


def workloads(*pods: Pod, **changes: object) -> Workloads:
    seen = Workloads(
        "app",
        "apps",
        IMAGE,
        generation=2,
        observed_generation=2,
        replicas=1,
        updated=1,
        revision=2,
        replica_sets=(ReplicaSet("old", 1, BEFORE), ReplicaSet("new", 2, IMAGE)),
        pods=pods,
    )
    return replace(seen, **changes)  # type: ignore[arg-type] # likewise


def after(seconds: float, seen: Workloads) -> Judgement:
    """Judge an observation of pods that this rollout has made, and again after some seconds."""
    watch, _ = judge(EXPECTED, Watch(), replace(seen, pods=()), 99.0)
    watch, _ = judge(EXPECTED, watch, seen, 100.0)
    return judge(EXPECTED, watch, seen, 100.0 + seconds)[1]


def in_turn(*states: Container) -> list[Verdict]:
    """What the judge says of a pod that was there before the rollout, at one look after the other.

    It is briefly not ready, and its first state is what the rollout found.
    """
    watch, verdicts = Watch(), []
    for at, state in enumerate(states):
        watch, judgement = judge(EXPECTED, watch, workloads(pod(state=state)), float(at))
        verdicts.append(judgement.verdict)
    return verdicts


def test_ready_pods_on_an_accepted_digest_prove_the_image() -> None:
    assert after(0, workloads(pod())).verdict is Verdict.PROVEN
    by_child = container(image_id=f"elsewhere/mirror@{CHILD}")
    assert after(0, workloads(pod(state=by_child))).verdict is Verdict.PROVEN


def test_a_proof_names_the_ready_pods_that_run_an_accepted_digest() -> None:
    seen = workloads(
        pod("new-1", state=container(restarts=1)),
        pod("new-2", terminating=True),
        old_pod(),
    )

    assert proof_of(EXPECTED, seen, "1 of 1").pods == (ProvenPod("new-1", NEW, restarts=1),)


def test_a_ready_pod_on_another_digest_disproves_it() -> None:
    judgement = after(0, workloads(pod(state=container(image_id=f"ghcr.io/acme/app@{OLD}"))))

    assert judgement.verdict is Verdict.DISPROVEN
    assert str(OLD) in judgement.why


@pytest.mark.parametrize("image_id", ["", "ghcr.io/acme/app:new", "sha256:short", "docker://x"])
def test_a_digest_that_can_not_be_read_is_unknown_never_bad(image_id: str) -> None:
    assert after(999, workloads(pod(state=container(image_id=image_id)))).verdict is Verdict.UNKNOWN


def test_a_template_with_another_image_is_waited_for() -> None:
    seen = workloads(pod(state=container(waiting="InvalidImageName", ready=False)), image=BEFORE)

    assert after(999, seen).verdict is Verdict.WAITING


def test_an_old_replica_sets_trouble_is_not_blamed_on_the_new_image() -> None:
    broken = container(ready=False, waiting="CrashLoopBackOff", restarts=9)
    seen = workloads(pod("old-1", "old", state=broken), updated=0)

    assert after(999, seen).verdict is Verdict.WAITING


def test_nothing_is_known_of_the_image_before_the_controller_has_seen_the_generation() -> None:
    """A controller that is away must not cost an image its commit: nobody has tried it yet."""
    seen = workloads(pod(state=container(waiting="InvalidImageName", ready=False)), generation=3)

    assert after(999, seen).verdict is Verdict.UNKNOWN


def test_the_replica_set_of_the_same_image_must_be_the_newest_revision() -> None:
    """After a rollback the old ReplicaSet is used again, under a new revision."""
    sets = (ReplicaSet("old", 3, BEFORE), ReplicaSet("new", 2, IMAGE))

    assert after(0, workloads(pod(), replica_sets=sets, revision=3)).verdict is Verdict.WAITING


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        ("InvalidImageName", "couldn't parse image name"),
        ("ErrImageNeverPull", ""),
        ("CreateContainerConfigError", 'secret "x" not found'),
        ("ErrImagePull", "ghcr.io/acme/app:new: not found"),
        ("ErrImagePull", "failed to authorize: unexpected status: 401 Unauthorized"),
        ("ImagePullBackOff", "pull access denied, insufficient_scope"),
        ("ErrImagePull", "manifest unknown"),
    ],
)
def test_what_no_retry_can_mend_is_fatal_at_once(waiting: str, message: str) -> None:
    state = Container("app", waiting=waiting, waiting_message=message)

    judgement = after(0, workloads(pod(state=state)))

    assert judgement.verdict is Verdict.DISPROVEN
    assert waiting in judgement.why
    assert judgement.pod == "new-1"


@pytest.mark.parametrize("waiting", ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"])
def test_a_pull_that_fails_for_the_network_gets_a_grace(waiting: str) -> None:
    state = Container("app", waiting=waiting, waiting_message="dial tcp: i/o timeout")
    seen = workloads(pod(state=state))

    assert after(PULL_GRACE - 1, seen).verdict is Verdict.WAITING
    assert after(PULL_GRACE, seen).verdict is Verdict.DISPROVEN


def test_back_off_between_pulls_does_not_start_the_grace_anew() -> None:
    pulling = workloads(pod(state=Container("app", waiting="ErrImagePull")))
    backing_off = workloads(pod(state=Container("app", waiting="ImagePullBackOff")))
    watch, _ = judge(EXPECTED, Watch(), pulling, 0.0)
    watch, _ = judge(EXPECTED, watch, backing_off, PULL_GRACE / 2)

    _, judgement = judge(EXPECTED, watch, pulling, PULL_GRACE)

    assert judgement.verdict is Verdict.DISPROVEN


def test_a_grace_starts_anew_when_the_trouble_has_gone() -> None:
    pulling = workloads(pod(state=Container("app", waiting="ErrImagePull")))
    creating = workloads(pod(state=Container("app", waiting="ContainerCreating")))
    watch, _ = judge(EXPECTED, Watch(), pulling, 0.0)
    watch, _ = judge(EXPECTED, watch, creating, 10.0)

    _, judgement = judge(EXPECTED, watch, pulling, PULL_GRACE)

    assert judgement.verdict is Verdict.WAITING


def test_one_exit_is_forgiven_two_are_not() -> None:
    once = container(ready=False, restarts=1, terminated="Error")
    twice = replace(once, waiting="CrashLoopBackOff", exit_code=3)

    assert after(0, workloads(pod(state=once))).verdict is Verdict.WAITING
    judgement = after(0, workloads(pod(state=twice)))
    assert judgement.verdict is Verdict.DISPROVEN
    assert "exit code 3" in judgement.why


def test_a_container_killed_for_memory_is_disproven_at_its_first_restart() -> None:
    killed = container(ready=False, restarts=1, terminated="OOMKilled", exit_code=137)

    assert "OOMKilled" in after(0, workloads(pod(state=killed))).why


@pytest.mark.parametrize("why", ["Error", "OOMKilled"])
def test_restarts_from_before_the_rollout_are_not_counted(why: str) -> None:
    """What a restore brings back may have run for months, and restarted now and then."""
    old = container(ready=False, restarts=5, terminated=why, exit_code=1)

    assert in_turn(old, old, replace(old, ready=True)) == [
        Verdict.WAITING,
        Verdict.WAITING,
        Verdict.PROVEN,
    ]


def test_restarts_since_the_rollout_began_are_counted_whatever_was_before() -> None:
    old = container(ready=False, restarts=5, terminated="Error", exit_code=1)

    verdicts = in_turn(old, replace(old, restarts=6), replace(old, restarts=7))

    assert verdicts == [Verdict.WAITING, Verdict.WAITING, Verdict.DISPROVEN]


def test_a_container_in_back_off_has_ended_twice_lately_whoever_looks_first() -> None:
    """Recovery looks late: it must not wait for two more exits, minutes apart."""
    looping = container(ready=False, restarts=5, waiting="CrashLoopBackOff", terminated="Error")

    assert in_turn(looping) == [Verdict.DISPROVEN]


def test_a_pod_that_can_not_be_scheduled_gets_a_longer_grace() -> None:
    seen = workloads(pod(state=Container("app"), unschedulable="0/1 nodes: insufficient memory"))

    assert after(UNSCHEDULABLE_GRACE - 1, seen).verdict is Verdict.WAITING
    assert "insufficient memory" in after(UNSCHEDULABLE_GRACE, seen).why


def test_an_init_container_is_judged_like_the_others() -> None:
    init = Container("setup", waiting="CrashLoopBackOff", restarts=2, terminated="Error")
    seen = workloads(replace(pod(), ready=False, containers=(init, container(ready=False))))

    assert "container setup" in after(0, seen).why


def test_an_exceeded_progress_deadline_disproves() -> None:
    seen = workloads(pod(state=container(ready=False)), deadline_exceeded=True)

    assert after(0, seen).verdict is Verdict.DISPROVEN


def test_a_stale_progress_deadline_does_not_outweigh_ready_pods() -> None:
    assert after(0, workloads(pod(), deadline_exceeded=True)).verdict is Verdict.PROVEN


def test_an_old_pod_that_still_serves_is_waited_for_and_a_terminating_one_is_not() -> None:
    assert after(999, workloads(pod(), old_pod())).verdict is Verdict.WAITING
    assert after(0, workloads(pod(), old_pod(terminating=True))).verdict is Verdict.PROVEN


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_was_evicted_and_lies_about_says_nothing_of_the_image(phase: str) -> None:
    last = container(ready=False, restarts=3, waiting="ImagePullBackOff", waiting_message="denied")
    evicted = pod("evicted", state=last, phase=phase)

    seen, unready = workloads(evicted, pod()), workloads(evicted, pod(state=container(ready=False)))

    assert after(0, seen).verdict is Verdict.PROVEN
    assert after(99, unready).verdict is Verdict.WAITING
    assert pod_to_show(unready, after(99, unready)) == "new-1"


def test_nothing_is_proven_with_zero_replicas() -> None:
    assert after(0, workloads(replicas=0, updated=0)).verdict is Verdict.UNKNOWN


def test_every_replica_must_be_ready() -> None:
    seen = workloads(pod(), replicas=2, updated=2)

    assert after(0, seen).verdict is Verdict.WAITING


CONTAINERS = st.builds(
    Container,
    name=st.just("app"),
    ready=st.booleans(),
    restarts=st.integers(0, 5),
    image_id=st.sampled_from(["", f"x@{NEW}", f"x@{OLD}", "x"]),
    waiting=st.sampled_from(["", "ErrImagePull", "CrashLoopBackOff", "ContainerCreating"]),
    waiting_message=st.sampled_from(["", "not found", "timeout"]),
    terminated=st.sampled_from(["", "Error", "OOMKilled"]),
)
PODS = st.builds(
    lambda name, replica_set, state, terminating: Pod(
        f"{name}", replica_set, state.ready, terminating, containers=(state,)
    ),
    st.integers(0, 9),
    st.sampled_from(["old", "new"]),
    CONTAINERS,
    st.booleans(),
)


@given(st.lists(PODS, max_size=4), st.integers(0, 3), st.floats(0, 1e6))
def test_only_ready_pods_of_the_expected_digest_are_ever_a_proof(
    pods: list[Pod], replicas: int, at: float
) -> None:
    seen = workloads(*pods, replicas=replicas, updated=replicas)

    _, judgement = judge(EXPECTED, Watch(), seen, at)

    if judgement.verdict is Verdict.PROVEN:
        proving = [each for each in pods if each.replica_set == "new" and not each.terminating]
        ready = [each for each in proving if each.ready]
        assert len(ready) >= replicas > 0
        assert {running_digest(each.containers[0].image_id) for each in ready} <= EXPECTED.accepted
        assert not [p for p in pods if p.replica_set == "old" and p.ready and not p.terminating]


def test_a_judgement_of_all_pods_is_explained_by_a_new_pod_that_is_not_ready() -> None:
    seen = workloads(old_pod(), pod(state=container(ready=False)))
    judgement = after(0, seen)

    assert judgement.pod == ""
    assert pod_to_show(seen, judgement) == "new-1"
    assert pod_to_show(seen, replace(judgement, pod="old-1")) == "old-1"
    assert pod_to_show(workloads(old_pod()), judgement) == ""


def test_what_the_kubelet_says_is_judged_as_it_is_and_told_without_credentials() -> None:
    message = "pull of https://robot:canary@ghcr.io failed, password=canary: 401 Unauthorized"
    waiting = container(ready=False, waiting="ErrImagePull", waiting_message=message)
    failing = replace(workloads(pod(state=waiting)), replicas=1)
    quota = ReplicaSet("new", 2, IMAGE, failure="webhook said: token=canary")

    pulled = after(0, failing)
    made = after(PULL_GRACE, workloads(replica_sets=(quota,), updated=0))
    placed = after(
        UNSCHEDULABLE_GRACE,
        workloads(pod(state=container(ready=False), unschedulable="no node: secret=canary")),
    )

    assert pulled.verdict is made.verdict is placed.verdict is Verdict.DISPROVEN
    assert {pulled.started, made.started, placed.started} == {False}
    assert "401 Unauthorized" in pulled.why
    assert "canary" not in f"{pulled.why} {made.why} {placed.why}"

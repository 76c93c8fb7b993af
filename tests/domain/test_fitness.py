"""From which conditions of a Deployment a release can start."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.domain.fitness import require_fit
from slipway.domain.workloads import Pod, ReplicaSet, Workloads
from slipway.errors import DeploymentUnfit
from tests.domain.test_rollout import BEFORE, IMAGE, container, old_pod, pod, workloads

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNREADY = pod(state=container(ready=False))
SETS = (ReplicaSet("old", 1, BEFORE), ReplicaSet("new", 2, IMAGE))
EVICTED = Pod("old-0", "old", ready=False, phase="Failed")


def seen(*pods: Pod, **changes: object) -> Workloads:
    """A Deployment whose rollout has come to its end."""
    return workloads(*pods, **{"rolled_out": True, "seen_at": NOW, **changes})


AT_REST = {
    "all is well": seen(pod()),
    "its pods have lost their readiness": seen(
        replace(UNREADY, changed=NOW - timedelta(minutes=2))
    ),
    "one of two pods has just been replaced": seen(
        pod("a"), replace(UNREADY, name="b", changed=NOW), replicas=2, updated=2
    ),
    "a pod of another day was evicted": seen(UNREADY, EVICTED),
    "an old pod is about to be gone": seen(UNREADY, old_pod(terminating=True)),
    "its rollout has failed for good": workloads(UNREADY, deadline_exceeded=True),
}
ON_THE_MOVE = {
    "its pods have just started": workloads(UNREADY),
    "no pod is there yet": workloads(),
    "the controller has not seen it yet": seen(pod(), generation=3),
    "not all pods are of the newest template yet": seen(UNREADY, updated=0),
    "there is no ReplicaSet yet": seen(UNREADY, replica_sets=SETS[:1]),
    "old pods are still there": seen(UNREADY, old_pod()),
}


JUST_LOST = {
    "a pod is being replaced, and its successor has just started": seen(
        replace(pod("b", state=container(ready=False, waiting="ContainerCreating")), changed=NOW)
    ),
    "its pods have just lost their readiness": seen(
        replace(UNREADY, changed=NOW - timedelta(seconds=59))
    ),
    "its pods are gone": seen(),
    "all that is ready is about to be gone": seen(
        pod("a", terminating=True), replace(UNREADY, name="b", changed=NOW)
    ),
}


@pytest.mark.parametrize("how", JUST_LOST)
def test_what_has_only_just_gone_is_waited_for_as_what_it_replaces_was_good(how: str) -> None:
    with pytest.raises(DeploymentUnfit, match="try again in a minute"):
        require_fit(JUST_LOST[how], "app")


@pytest.mark.parametrize("how", AT_REST)
def test_a_rollout_that_has_ended_keeps_no_release_away(how: str) -> None:
    require_fit(AT_REST[how], "app")


@pytest.mark.parametrize("how", ON_THE_MOVE)
def test_a_rollout_of_somebody_elses_is_waited_for(how: str) -> None:
    with pytest.raises(DeploymentUnfit, match="a rollout is under way"):
        require_fit(ON_THE_MOVE[how], "app")

"""Whether a Deployment is in a condition from which a release can start, and be undone."""

import json
import shlex
from collections.abc import Sequence
from datetime import timedelta

from slipway.domain.image import Digest
from slipway.domain.rollout import Expectation, Verdict, Watch, current_set, judge
from slipway.domain.workloads import Pod, Workloads, running_digest
from slipway.errors import DeploymentUnfit

PULUMI = "pulumi"
"""How the names of Pulumi's own field managers begin: pulumi-kubernetes, pulumi-kubernetes-1a2b."""
REPLICAS = "spec.replicas"
JUST_NOW = timedelta(seconds=60)
"""A pod that is not ready for no longer may be on its way up: what it replaces was good."""
AUTOSCALERS = frozenset({"kube-controller-manager", "k3s", "kubelite"})
"""Under whose name a HorizontalPodAutoscaler scales: of all in that process, only it does. K3s' and
MicroK8s' have it within a process of theirs."""


def require_fit(seen: Workloads, container: str) -> None:
    """Refuse a Deployment that is paused, scaled to zero, on the move, or of several images."""
    if seen.paused:
        raise DeploymentUnfit(f"{seen} is paused: resume it (kubectl rollout resume)")
    if seen.replicas == 0:
        raise DeploymentUnfit(
            f"{seen} is scaled to zero: nothing could be proven; give it a replica in the program"
        )
    if seen.rolled_out and _has_just_lost_pods(seen):
        raise DeploymentUnfit(
            f"{seen}: a pod of it has only just been replaced, or has lost its readiness, so what "
            "runs can't be told: try again in a minute, when it is ready or has failed"
        )
    if _is_moving(seen, container):
        raise DeploymentUnfit(
            f"{seen}: a rollout is under way that Slipway did not start; wait until it has ended"
        )
    digests = ready_digests(seen, container)
    if len(digests) > 1:
        shown = ", ".join(sorted(str(each) for each in digests))
        raise DeploymentUnfit(
            f"{seen}: its ready pods run different images ({shown}), so there is no one image "
            "to go back to; delete the pods that are wrong and look again"
        )


def require_ours(seen: Workloads, container: str, *, sets_replicas: bool) -> None:
    """Refuse a Deployment of which another field manager owns what the program sets.

    It always sets the image. What it leaves out, Pulumi does not apply: then whoever scales the
    Deployment, such as an autoscaler, is in nobody's way.
    """
    for field, managers in (
        (f"spec.template.spec.containers[{container}].image", seen.image_managers),
        (REPLICAS, seen.replicas_managers if sets_replicas else ()),
    ):
        others = others_of(managers)
        if others:
            raise DeploymentUnfit(
                f"{seen}: {field} is owned by field manager {', '.join(others)}, so `pulumi up` "
                f"would conflict: {_back(seen, field, managers)}"
            )


def others_of(managers: Sequence[str]) -> list[str]:
    """The field managers that are not Pulumi's."""
    return [each for each in managers if not each.startswith(PULUMI)]


def _back(seen: Workloads, field: str, managers: Sequence[str]) -> str:
    """How a field becomes Pulumi's alone; an autoscaler would take replicas again and again.

    One that both hold has one value: applied again, it stays shared, by force too (Kubernetes'
    documentation, Server-Side Apply, "Transferring ownership").
    """
    if field == REPLICAS and AUTOSCALERS.intersection(managers):
        return "an autoscaler scales it, so let the program not set replicas, and run `pulumi up`"
    if any(each.startswith(PULUMI) for each in managers):
        back = f"remove that manager's entry of metadata.managedFields: {let_go(seen)}"
    else:
        back = (
            "take the field back with the value that Pulumi records (kubectl apply --server-side "
            "--force-conflicts --field-manager=pulumi-kubernetes)"
        )
    return f"stop that tool from changing it, then {back}"


def let_go(seen: Workloads) -> str:
    """The command that ends other managers' hold on image and replicas; no pod is touched.

    It does nothing when the entries have moved meanwhile. What nobody owns then is Pulumi's with
    the next update of the Deployment.
    """
    steps: list[dict[str, str]] = []
    for place, manager in reversed(seen.owner_places):  # from the last: the others stay in place
        if not manager.startswith(PULUMI):
            entry = f"/metadata/managedFields/{place}"
            steps += [
                {"op": "test", "path": f"{entry}/manager", "value": manager},
                {"op": "remove", "path": entry},
            ]
    patch = shlex.quote(json.dumps(steps, separators=(",", ":")))
    where = f"--namespace {seen.namespace}"
    return f"kubectl {where} patch deployment {seen.name} --type=json --patch={patch}"


def require_recorded(seen: Workloads, recorded: str | None) -> None:
    """Refuse when Pulumi's recorded image is not the pod template's: its diff would be wrong."""
    if recorded != seen.image:
        raise DeploymentUnfit(
            f"{seen} asks for {seen.image}, but Pulumi's state records {recorded or 'no image'}: "
            "somebody changed one without the other; run `pulumi refresh` and look at what it finds"
        )


def ready_digests(seen: Workloads, container: str) -> set[Digest]:
    """The digests that ready pods run; a pod whose digest can't be read adds nothing."""
    found = {
        running_digest(each.image_id)
        for pod in seen.pods
        if pod.ready and not pod.terminating
        for each in pod.containers
        if each.name == container
    }
    return {each for each in found if each is not None}


def untold_pods(seen: Workloads, container: str) -> list[str]:
    """Ready pods of which the runtime does not tell the image, each with what it tells instead."""
    told = [
        (pod.name, next((each.image_id for each in pod.containers if each.name == container), ""))
        for pod in seen.pods
        if pod.ready and not pod.terminating
    ]
    return [
        f"pod {name} (imageID {image_id[:80]!r})"
        for name, image_id in told
        if running_digest(image_id) is None
    ]


def the_ready_digest(seen: Workloads, container: str) -> Digest | None:
    """The one digest that all ready pods run; None when there is none, or more than one."""
    digests = ready_digests(seen, container)
    return next(iter(digests)) if len(digests) == 1 else None


def ready_reference(seen: Workloads, container: str, digest: Digest) -> str:
    """The image reference by which the pods that run `digest` were asked for."""
    names = {
        pod.replica_set
        for pod in seen.pods
        if pod.ready
        for each in pod.containers
        if each.name == container and running_digest(each.image_id) == digest
    }
    images = [each.image for each in seen.replica_sets if each.name in names]
    return seen.image if seen.image in images or not images else images[0]


def _is_moving(seen: Workloads, container: str) -> bool:
    """A rollout that has ended does not move, well or for good; one that may still succeed does.

    Pods that lose readiness after it has ended, or that take the place of others, are no rollout.
    """
    if seen.observed_generation < seen.generation:
        return True
    if _has_come_to_its_end(seen):
        return False
    expected = Expectation(seen.image, frozenset(ready_digests(seen, container)), container)
    # A single look: whoever has exited again and again does so still, for all that can be known.
    _, judgement = judge(expected, Watch(restarts={}), seen, 0.0)
    if judgement.verdict is not Verdict.WAITING:
        return False
    troubled = judgement.pod != ""
    return not troubled


def _has_just_lost_pods(seen: Workloads) -> bool:
    """Whether no pod is ready, and one may be in a moment: a node was drained, a pod deleted."""
    current = current_set(seen)
    if current is None or current.failure or seen.updated < seen.replicas:
        return False
    if seen.observed_generation < seen.generation:
        return False
    pods = [each for each in seen.pods if each.replica_set == current.name and not each.over]
    if any(each.ready and not each.terminating for each in pods):
        return False
    return not pods or any(_is_young(each, seen) for each in pods)


def _is_young(pod: Pod, seen: Workloads) -> bool:
    if pod.changed is None or seen.seen_at is None:
        return False
    return seen.seen_at - pod.changed < JUST_NOW


def _has_come_to_its_end(seen: Workloads) -> bool:
    """As `kubectl rollout status` tells it, but for whether the pods are ready now."""
    current = current_set(seen)
    if not seen.rolled_out or current is None or seen.updated < seen.replicas:
        return False
    # A pod that has ended counts for no ReplicaSet any more, and may stay: one that was evicted.
    return all(
        pod.replica_set == current.name or pod.terminating or pod.phase in {"Failed", "Succeeded"}
        for pod in seen.pods
    )

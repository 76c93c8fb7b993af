"""The commands that findings print: what is typed as it stands mends what was found."""

import shlex
from collections.abc import Sequence

from slipway.domain import fitness
from slipway.domain.auditing.picture import reference_of
from slipway.domain.candidate import present
from slipway.domain.finding import Remedy
from slipway.domain.fitness import PULUMI
from slipway.domain.image import Digest
from slipway.domain.release import Release
from slipway.domain.target import Target
from slipway.domain.workloads import Workloads

MANAGER = "pulumi-kubernetes"
"""Pulumi's field manager, where the Deployment does not show which it is."""


def deploy(target: Target, commit: object, sentence: str) -> Remedy:
    """Deploy a commit."""
    return Remedy(sentence, f"slipway deploy {target.name} {commit}")


def roll_back(target: Target, reason: str, sentence: str) -> Remedy:
    """Roll back to the default way back, whatever is left of what runs."""
    typed = f"slipway rollback {target.name} --no-way-back --reason {shlex.quote(reason)}"
    return Remedy(sentence, typed)


def retag(repository: str, tag: str, digest: Digest, sentence: str) -> Remedy:
    """Point a tag at an image that the registry still has, without a byte of it changing."""
    source, there = f"{repository}@{digest}", f"{repository}:{tag}"
    command = f"skopeo copy --all --preserve-digests docker://{source} docker://{there}"
    return Remedy(sentence, command)


def sign(repository: str, digest: Digest, sentence: str) -> Remedy:
    """Sign an image where the private key lies as cosign has made it."""
    return Remedy(sentence, f"cosign sign --key cosign.key {repository}@{digest}")


def take_back(target: Target, seen: Workloads, image: str) -> Remedy:
    """Give the image back to Pulumi as Pulumi records it, where the Deployment has another."""
    managers = (*seen.image_managers, *seen.replicas_managers)
    manager = next((each for each in managers if each.startswith(PULUMI)), MANAGER)
    steps = (
        f"kubectl --namespace {seen.namespace} get deployment {seen.name} --output=yaml",
        f"kubectl set image --local --filename=- {target.workload.container}={image} --output=yaml",
        f"kubectl apply --server-side --force-conflicts --field-manager={manager} --filename=-",
    )
    return Remedy("give the image back to Pulumi, as it records it", " | ".join(steps))


def let_go(seen: Workloads) -> Remedy:
    """Leave fields to Pulumi whose values stay as they are.

    Applied again with the same value, a field stays the other manager's too, by force as well
    (Kubernetes' documentation, Server-Side Apply, "Transferring ownership").
    """
    return Remedy(
        "stop that tool from changing it, and remove its entry of metadata.managedFields",
        fitness.let_go(seen),
    )


def live_commit(history: Sequence[Release]) -> str:
    """What to deploy to have again what the ledger says is live; empty without one."""
    release = present(history)
    return release.commit.sha if release is not None and release.commit is not None else ""


def commit_of(reference: str) -> str:
    """The commit that a reference's tag names; empty where it names none."""
    named = reference_of(reference)
    return named.commit.sha if named is not None and named.commit is not None else ""

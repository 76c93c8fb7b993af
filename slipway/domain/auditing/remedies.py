"""The commands that findings print: what is typed as it stands mends what was found."""

import json
import shlex
from collections.abc import Sequence

from slipway.domain import fitness
from slipway.domain.agreement import Unknown
from slipway.domain.auditing.picture import Picture, known, reference_of
from slipway.domain.auditing.ways import WayBack, find_way_back
from slipway.domain.candidate import present
from slipway.domain.commit import Commit
from slipway.domain.finding import Remedy
from slipway.domain.fitness import PULUMI
from slipway.domain.image import Digest
from slipway.domain.release import Release
from slipway.domain.target import Target
from slipway.domain.workloads import Workloads

MANAGER = "pulumi-kubernetes"
"""Pulumi's field manager, where the Deployment does not show which it is."""


def deploy(picture: Picture, commit: Commit | None, sentence: str, *options: str) -> Remedy:
    """Deploy a commit; only the sentence where none is known. Past a hold a person says why.

    What is vetoed would be refused: it is gone back from.
    """
    if commit is None:
        return Remedy(sentence)
    if commit in _vetoed(picture):
        why = f"{commit.short} is vetoed"
        return roll_back(picture, why, f"{why}: go back to what was live before it")
    memory = picture.ledger
    held = not isinstance(memory, Unknown) and bool(memory.holds)
    said = ["--reason", shlex.quote(sentence)] if held else []
    return Remedy(
        sentence, " ".join(["slipway deploy", picture.target.name, commit.sha, *options, *said])
    )


def roll_back(picture: Picture, reason: str, sentence: str) -> Remedy:
    """Roll back to the best way back, whatever is left of what runs; where there is none, on."""
    way = find_way_back(picture)
    if way is None:
        return go_on(picture, f"{sentence}; no way back is left, so deploy a newer commit")
    to = f"--to {way.commit} " if isinstance(way, WayBack) and not way.is_default else ""
    name = picture.target.name
    typed = f"slipway rollback {name} {to}--no-way-back --reason {shlex.quote(reason)}"
    return Remedy(sentence, typed)


def instead_of_missing(picture: Picture, reference: str) -> Remedy:
    """What is to run where the registry lacks an image: that depends on who names it.

    Only where Pulumi has applied it is it the release's own, and going back is the way.
    """
    seen, stack = picture.cluster, picture.stack
    applied = None if isinstance(stack, Unknown) else stack.image
    if not isinstance(seen, Workloads) or seen.image != reference:
        return deploy(picture, commit_to_run(picture), "deploy what is to run, by its commit")
    if applied not in {None, reference}:
        return take_back(picture.target, seen, str(applied))
    return roll_back(
        picture, "its image is gone from the registry", "go back to an image that is there"
    )


def mend_and_look(picture: Picture, unknown: Unknown) -> Remedy:
    """No command mends a place that does not answer: what does is said, and what asks it again."""
    step = unknown.next_step or "see what is wrong with it"
    return Remedy(f"{step}; this asks it again", f"slipway doctor {picture.target.name}")


def go_on(picture: Picture, sentence: str) -> Remedy:
    """Deploy the newest commit where it makes another image; else see what else there is."""
    git = picture.git
    commit = newest_commit(picture) if not isinstance(git, Unknown) and git.pending else None
    if commit is not None:
        return deploy(picture, commit, sentence)
    return Remedy(f"{sentence}, once there is one", f"slipway candidates {picture.target.name}")


def deploy_newest(picture: Picture, sentence: str) -> Remedy:
    """Deploy the newest commit that may be deployed; where none may, another has to be made."""
    commit = newest_commit(picture)
    if commit is None:
        return Remedy(
            "what waits is vetoed, or was rolled back: mend it in a new commit, and deploy that"
        )
    return deploy(picture, commit, sentence)


def newest_commit(picture: Picture) -> Commit | None:
    """The newest commit of the branch that is not kept away, by a veto or a hold; None without one.

    What follows such a commit without changing the image has its image.
    """
    git, memory = known(picture.git), picture.ledger
    vetoed = frozenset[Commit]()
    if not isinstance(memory, Unknown):
        vetoed = memory.vetoed | {each.about for each in memory.holds if each.about is not None}
    waiting = [each.commit for each in git.pending]
    if not vetoed.intersection([git.head.commit, *waiting[:1]]):
        return git.head.commit
    return next((each for each in waiting if each not in vetoed), None)


def commit_to_run(picture: Picture) -> Commit | None:
    """The commit that is to run as things stand: what is asked for, or else what is live, or new.

    Never one that is older than what the ledger has as live: its deploy would be refused. Of a
    vetoed one only what is live, which is to be gone back from.
    """
    git, memory = picture.git, picture.ledger
    live = None if isinstance(memory, Unknown) else present(memory.history)
    asked = _asked_for(picture)
    if isinstance(git, Unknown):
        return asked or (live.commit if live else None)
    newer = {each.commit for each in git.pending}
    if asked is not None and git.deployed is not None and (not live or live.commit not in newer):
        return asked
    return (live.commit if live else None) or newest_commit(picture)


def _asked_for(picture: Picture) -> Commit | None:
    """The commit that the pod template names, by tag or by its image's label; no vetoed one."""
    git, seen = picture.git, picture.cluster
    named = None if isinstance(seen, Unknown) or seen is None else reference_of(seen.image)
    asked = named.commit if named is not None else None
    if named is not None and asked is None and not isinstance(git, Unknown) and git.deployed:
        asked = git.deployed.commit  # which its label names
    return None if asked in _vetoed(picture) else asked


def _vetoed(picture: Picture) -> frozenset[Commit]:
    return frozenset() if isinstance(picture.ledger, Unknown) else picture.ledger.vetoed


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


def leave_replicas(target: Target) -> Remedy:
    """Leave the field to an autoscaler, which takes it again whenever it scales.

    Its value stays what the autoscaler has made it (Kubernetes' documentation, Horizontal Pod
    Autoscaling, "Migrating Deployments and StatefulSets to horizontal autoscaling").
    """
    return Remedy(
        "an autoscaler scales it: let the program not set replicas, commit that, then apply it",
        f"pulumi up --stack {target.stack}",
    )


def live_image(history: Sequence[Release]) -> str:
    """The image that the ledger says is live; empty without one."""
    release = present(history)
    return release.image if release is not None else ""


def pull_policy(target: Target, seen: Workloads) -> Remedy:
    """Let nodes pull what they lack; where Pulumi sets the policy, only its program can."""
    container = target.workload.container
    if any(each.startswith(PULUMI) for each in seen.pull_policy_managers):
        return Remedy(
            f"let the program set imagePullPolicy IfNotPresent for container {container}, commit "
            "that, then apply it",
            f"pulumi up --stack {target.stack}",
        )
    policy = {"name": container, "imagePullPolicy": "IfNotPresent"}
    patch = {"spec": {"template": {"spec": {"containers": [policy]}}}}
    written = shlex.quote(json.dumps(patch, separators=(",", ":")))
    return Remedy(
        "let nodes pull what they lack",
        f"kubectl --namespace {seen.namespace} patch deployment {seen.name} --patch={written}",
    )

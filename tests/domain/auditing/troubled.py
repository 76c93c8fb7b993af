"""What may be wrong with a system, one thing at a time, as the audit sees it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from slipway.domain.auditing.picture import Applied, Picture, Program, Pull
from slipway.domain.config import KeyForm
from slipway.domain.image import Digest
from slipway.domain.release import State
from slipway.domain.retention import Deletion, Plan, Policy
from slipway.domain.scheduling import Node
from slipway.domain.signature import SignedPayload
from tests.domain.auditing.pictures import (
    BEFORE,
    CHILD,
    DIGEST,
    HEAD,
    LIVE,
    NODE,
    NOW,
    OLD,
    REFERENCE,
    REPOSITORY,
    TARGET,
    WAY_BACK,
    config,
    container,
    hold,
    holdings,
    image,
    info,
    lineage,
    memory,
    picture,
    pod,
    release,
    restarted,
    workloads,
)
from tests.signing import Signer

PARTS = (
    "git",
    "registry",
    "config",
    "program",
    "stack",
    "cluster",
    "nodes",
    "pulls",
    "ledger",
)
OTHER = Digest("sha256:" + "d" * 64)
SIGNER = Signer()
FOREIGN = f"ghcr.io/mallory/adapter:{LIVE}"


def signed_picture(*signed: SignedPayload) -> Picture:
    """The target has a key, and this is signed of its image."""
    service = replace(TARGET.service, signed_by=SIGNER.public)
    held = holdings(signatures={REFERENCE: signed})
    return picture(target=replace(TARGET, service=service), registry=held)


WAY = {str(WAY_BACK): image(OLD, BEFORE)}
PLAIN = f"{REPOSITORY}:{LIVE}"
"""The live commit's tag without its digest, as people write it by hand."""


def by_tag(tag: str = PLAIN, **more: object) -> Picture:
    """Everybody names an image by a tag alone."""
    parts: dict[str, object] = {
        "config": config(tag),
        "stack": Applied(tag),
        "cluster": workloads(image=tag, pods=(pod(container(OLD)),)),
        **more,
    }
    return picture(**parts)


TROUBLED: Mapping[str, tuple[set[str], Picture]] = {
    "the image is gone": (
        {"IMG001"},
        picture(registry=holdings(images={REFERENCE: None, str(WAY_BACK): image(OLD, BEFORE)})),
    ),
    "nobody may pull": ({"IMG003"}, picture(pulls=(Pull("ghcr-creds", "401"), Pull("b", "403")))),
    "a tag was overwritten": (
        {"IMG004"},
        picture(registry=holdings(tags={BEFORE.sha: OTHER, "main": DIGEST})),
    ),
    ":main was moved": (
        {"IMG005"},
        picture(registry=holdings(tags={LIVE.sha: DIGEST, "main": OLD})),
    ),
    ":main is gone": ({"IMG005"}, picture(registry=holdings(tags={"main": None}))),
    "ESC was edited": ({"IMG006"}, picture(config=config(str(WAY_BACK)))),
    "kubectl set image": (
        {"IMG006", "SYS004"},
        picture(
            cluster=workloads(
                image=str(WAY_BACK),
                image_managers=("kubectl-set",),
                pods=(pod(container(OLD)),),
            )
        ),
    ),
    "a pod runs an old digest": (
        {"IMG007"},
        picture(cluster=workloads(pods=(pod(container(OLD)),))),
    ),
    "one of two pods does": (
        {"IMG007"},
        picture(
            cluster=workloads(
                replicas=2, updated=2, pods=(pod(), pod(container(OLD), name="adapter-1-b"))
            )
        ),
    ),
    "the node never pulls": ({"IMG008"}, picture(cluster=workloads(pull_policy="Never"))),
    "no label says what it was built from": (
        {"IMG009"},
        picture(registry=holdings(images={REFERENCE: image(revision=None), **WAY})),
    ),
    "the label names no commit": (
        {"IMG009"},
        picture(registry=holdings(images={REFERENCE: replace(image(), revision="v1.2"), **WAY})),
    ),
    "the label names another commit": (
        {"IMG009"},
        picture(
            registry=holdings(images={REFERENCE: image(revision=HEAD), str(WAY_BACK): image()})
        ),
    ),
    "the source is another repository": (
        {"IMG009"},
        picture(
            registry=holdings(
                images={REFERENCE: image(source="https://x/y"), str(WAY_BACK): image()}
            )
        ),
    ),
    "a node of another platform": (
        {"IMG010"},
        picture(nodes=(NODE, Node("arm-1", "linux/arm64"))),
    ),
    "a part of the index is gone": (
        {"IMG010"},
        picture(
            registry=holdings(
                images={
                    REFERENCE: image(missing=frozenset({CHILD})),
                    str(WAY_BACK): image(OLD, BEFORE),
                }
            )
        ),
    ),
    "every part of the index is gone, and with them what they said": (
        {"IMG010"},
        picture(
            pulls=(Pull("ghcr-creds", missing="its part sha256:… is gone"),),
            registry=holdings(
                images={
                    REFERENCE: replace(
                        image(revision=None), platforms=frozenset(), missing=frozenset({OLD})
                    ),
                    **WAY,
                }
            ),
        ),
    ),
    "a change waits": (
        {"IMG011"},
        picture(git=lineage(head=info(HEAD), pending=(info(HEAD),))),
    ),
    "the image is old": (
        {"IMG011"},
        picture(
            registry=holdings(images={REFERENCE: image(created=NOW - timedelta(days=400)), **WAY})
        ),
    ),
    "no way back is left": (
        {"IMG012"},
        picture(registry=holdings(images={REFERENCE: image(), str(WAY_BACK): None})),
    ),
    "the way back is for other nodes": (
        {"IMG012"},
        picture(
            registry=holdings(
                images={
                    REFERENCE: image(),
                    str(WAY_BACK): image(OLD, BEFORE, platforms=frozenset({"linux/arm64"})),
                }
            )
        ),
    ),
    "a part of the way back is gone": (
        {"IMG012"},
        picture(
            registry=holdings(
                images={
                    REFERENCE: image(),
                    str(WAY_BACK): image(
                        OLD, BEFORE, platforms=frozenset(), missing=frozenset({CHILD})
                    ),
                }
            )
        ),
    ),
    "a pod can't pull": (
        {"IMG013"},
        picture(
            cluster=workloads(
                pods=(pod(), pod(container(ready=False, waiting="ImagePullBackOff"), "b"))
            )
        ),
    ),
    "a pod crashes": (
        {"IMG013"},
        picture(cluster=workloads(pods=(pod(container(ready=False, waiting="CrashLoopBackOff")),))),
    ),
    "a pod restarts, and is ready in between": (
        {"IMG013"},
        picture(cluster=workloads(pods=(pod(restarted(2, minutes_ago=5)),))),
    ),
    "a pod was killed for its memory": (
        {"IMG013"},
        picture(cluster=workloads(pods=(pod(container(ready=False, terminated="OOMKilled")),))),
    ),
    "a pod finds no node": (
        {"IMG013"},
        picture(
            cluster=workloads(pods=(pod(), pod(name="b", ready=False, unschedulable="no room")))
        ),
    ),
    "nobody has signed the image": ({"IMG014"}, signed_picture()),
    "nobody needs an image any more": (
        {"IMG016"},
        picture(prunable=Plan(REPOSITORY, Policy(), (Deletion(OLD, (BEFORE.sha,)),), {})),
    ),
    "the key is shadowed": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", shadow="other")),
    ),
    "the program does not read the key": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", mentions_key=False)),
    ),
    "the stack does not import the environment": (
        {"SYS002"},
        picture(program=Program("cluster/Pulumi.prod.yaml", problem="does not import it")),
    ),
    "another tool owns the image": (
        {"SYS003"},
        picture(cluster=workloads(image_managers=("argocd-controller",))),
    ),
    "kubectl scaled it": (
        {"SYS004"},
        picture(cluster=workloads(replicas_managers=("kubectl",))),
    ),
    "an autoscaler scales what the program sets": (
        {"SYS003"},
        picture(cluster=workloads(replicas_managers=("kube-controller-manager",))),
    ),
    "the key is a secret": ({"SYS005"}, picture(config=config(None, KeyForm.SECRET))),
    "a hold is old": ({"SYS006"}, picture(ledger=memory(holds=(hold(30),)))),
    "a release was interrupted": (
        {"SYS007"},
        picture(ledger=memory(interrupted=(release(HEAD, OTHER, state=State.RELEASING),))),
    ),
    "a key that nothing reads names an image": (
        {"SYS009"},
        picture(unread={replace(TARGET.config_key, key="oceanid-cluster:oldImage"): FOREIGN}),
    ),
    "the Deployment is gone": ({"SYS008"}, picture(cluster=None)),
    "the Deployment is gone, and only it could tell its name": (
        {"SYS008"},
        picture(cluster=None, stack=Applied(None)),
    ),
    "it was never deployed": (
        {"SYS008"},
        picture(
            cluster=None,
            stack=Applied(None),
            config=config(None, KeyForm.MISSING),
            ledger=memory(history=()),
        ),
    ),
    "it was deployed, and Deployment and key are gone": (
        {"SYS005", "SYS008"},
        picture(cluster=None, stack=Applied(None), config=config(None, KeyForm.MISSING)),
    ),
}
"""What is wrong → the ids of exactly the findings that it makes."""

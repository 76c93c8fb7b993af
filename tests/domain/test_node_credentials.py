"""Pods show whether nodes pull where the API shows no credentials."""

from dataclasses import replace

import pytest

from slipway.domain.node_credentials import denied_pull, pulled_by
from slipway.domain.workloads import Container, Workloads
from tests.domain.auditing.pictures import CHILD, DIGEST, OLD, container, pod, workloads

DENIED = "failed to authorize: 401 Unauthorized"


def waiting(message: str, reason: str = "ErrImagePull", **more: object) -> Workloads:
    state = container(ready=False, image_id="", waiting=reason, waiting_message=message)
    return workloads(pods=(replace(pod(state), **more),))  # type: ignore[arg-type] # real fields


@pytest.mark.parametrize(
    "message",
    [
        DENIED,
        "pull access denied, repository does not exist or may require authorization",
        "unexpected status from HEAD request: 403 Forbidden",
        'Back-off pulling image "x": ErrImagePull: insufficient_scope: authorization failed',
    ],
)
def test_a_node_that_was_denied_the_image_tells_it_by_its_pod(message: str) -> None:
    assert denied_pull(waiting(message), "adapter") == f"pod adapter-1-a: {message}"


@pytest.mark.parametrize(
    "seen",
    [
        waiting("failed to resolve: not found"),
        waiting("dial tcp: i/o timeout"),
        waiting('Back-off pulling image "x"', "ImagePullBackOff"),
        waiting(DENIED, "CrashLoopBackOff"),
        waiting(DENIED, replica_set="adapter-0"),
        waiting(DENIED, terminating=True),
        workloads(pods=(pod(container(waiting="ErrImagePull", waiting_message=DENIED, name="b")),)),
    ],
)
def test_another_trouble_or_another_image_shows_no_denial(seen: Workloads) -> None:
    assert denied_pull(seen, "adapter") == ""


@pytest.mark.parametrize("image_id", [f"x@{CHILD}", f"docker-pullable://ghcr.io/x@{CHILD}"])
def test_a_ready_pod_of_the_image_shows_that_its_node_could_pull(image_id: str) -> None:
    seen = workloads(pods=(pod(container(image_id=image_id)),))

    assert pulled_by(seen, "adapter", {DIGEST, CHILD}) == ["adapter-1-a"]


@pytest.mark.parametrize(
    "state",
    [
        container(OLD),
        container(ready=False),
        container(image_id=str(CHILD)),
        container(image_id=f"docker://{CHILD}"),
        container(image_id=""),
    ],
    ids=["another image", "not ready", "imported", "built on the node", "nothing"],
)
def test_a_pod_that_may_not_have_been_pulled_shows_nothing(state: Container) -> None:
    assert pulled_by(workloads(pods=(pod(state),)), "adapter", {DIGEST, CHILD}) == []


def test_pods_of_another_template_show_nothing() -> None:
    assert pulled_by(workloads(pods=(pod(replica_set="adapter-0"),)), "adapter", {DIGEST}) == []

"""The API's objects, as a real API server sends them, and as nobody does."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.clients.kubernetes_objects import (
    describe_pod,
    field_managers,
    images_in,
    read_container,
    read_pod,
    read_pull_secret,
    read_workloads,
)
from slipway.domain.workloads import Container, Pod

IMAGE = "ghcr.io/acme/app:1"


def owned(name: str, uid: str, owner: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid, "ownerReferences": [{"uid": owner}]}, **more}


def deployment(**metadata: Any) -> dict[str, Any]:
    template = {
        "spec": {
            "imagePullSecrets": [{"name": "ghcr-creds"}],
            "containers": [{"name": "side", "image": "x"}, {"name": "app", "image": IMAGE}],
        }
    }
    return {
        "metadata": {
            "name": "app",
            "namespace": "apps",
            "uid": "d",
            "generation": 4,
            "annotations": {"deployment.kubernetes.io/revision": "3"},
            **metadata,
        },
        "spec": {"replicas": 2, "template": template},
        "status": {"observedGeneration": 4, "updatedReplicas": 2},
    }


def test_a_deployment_is_read_with_its_own_replica_sets_and_pods_only() -> None:
    sets = [
        owned("app-1", "r", "d", spec=deployment()["spec"]),
        owned("other-1", "o", "somebody", spec=deployment()["spec"]),
    ]
    pods = [owned("app-1-a", "p", "r"), owned("other-1-a", "q", "o"), owned("stray", "s", "x")]

    seen = read_workloads(deployment(), sets, pods, "app")

    assert (seen.image, seen.replicas, seen.revision, seen.generation) == (IMAGE, 2, 3, 4)
    assert seen.pull_secrets == ("ghcr-creds",)
    assert [each.name for each in seen.replica_sets] == ["app-1"]
    assert [(each.name, each.replica_set) for each in seen.pods] == [("app-1-a", "app-1")]


def test_how_far_a_rollout_is_is_read_of_the_progressing_condition() -> None:
    told = {}
    for reason in ("NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"):
        raw = deployment()
        raw["status"]["conditions"] = [
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Progressing", "status": "True", "reason": reason},
        ]
        seen = read_workloads(raw, [], [], "app")
        told[reason] = (seen.rolled_out, seen.deadline_exceeded)

    assert told == {
        "NewReplicaSetAvailable": (True, False),
        "ReplicaSetUpdated": (False, False),
        "ProgressDeadlineExceeded": (False, True),
    }
    assert not read_workloads(deployment(), [], [], "app").rolled_out


def test_when_a_node_pulls_is_read_of_the_targets_container_only() -> None:
    raw = deployment()
    side, app = raw["spec"]["template"]["spec"]["containers"]
    side["imagePullPolicy"], app["imagePullPolicy"] = "Never", "Always"

    assert read_workloads(raw, [], [], "app").pull_policy == "Always"


@pytest.mark.parametrize(
    ("template", "account"),
    [({}, "default"), ({"serviceAccountName": "puller"}, "puller"), ({"serviceAccount": "x"}, "x")],
)
def test_the_pods_own_service_account_is_read(template: dict[str, str], account: str) -> None:
    raw = deployment()
    raw["spec"]["template"]["spec"] |= template

    assert read_workloads(raw, [], [], "app").service_account == account


def entry(manager: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    return {"manager": manager, "subresource": subresource, "fieldsV1": fields}


def test_the_owners_of_image_and_replicas_are_found() -> None:
    image: dict[str, Any] = {"f:containers": {'k:{"name":"app"}': {".": {}, "f:image": {}}}}
    side: dict[str, Any] = {"f:containers": {'k:{"name":"side"}': {"f:image": {}}}}
    fields = [
        entry("pulumi-kubernetes", {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": side}}}),
        entry("kubectl-set", {"f:spec": {"f:template": {"f:spec": image}}}),
        entry("kubectl", {"f:spec": {"f:replicas": {}}}, "scale"),
        entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, "status"),
    ]

    seen = read_workloads(deployment(managedFields=fields), [], [], "app")

    assert seen.image_managers == ("kubectl-set",)
    assert seen.replicas_managers == ("pulumi-kubernetes", "kubectl")
    assert seen.owner_places == ((0, "pulumi-kubernetes"), (1, "kubectl-set"), (2, "kubectl"))


def test_whoever_set_the_pull_policy_is_found_and_nobody_where_it_is_the_default() -> None:
    policy: dict[str, Any] = {
        "f:containers": {'k:{"name":"app"}': {"f:image": {}, "f:imagePullPolicy": {}}}
    }
    fields = [entry("kubectl-patch", {"f:spec": {"f:template": {"f:spec": policy}}})]

    seen = read_workloads(deployment(managedFields=fields), [], [], "app")
    default = read_workloads(deployment(), [], [], "app")

    assert seen.pull_policy_managers == ("kubectl-patch",)
    assert default.pull_policy_managers == ()


def test_a_list_key_may_hold_more_than_the_name() -> None:
    fields = [entry("helm", {'k:{"name":"app","uid":"1"}': {"f:image": {}}})]
    raw = {"metadata": {"managedFields": fields}}

    assert field_managers(raw, ('k:{"name":"app"}', "f:image")) == ("helm",)


def test_a_crashing_container_says_how_it_ended_last_time() -> None:
    seen = read_container(
        {
            "name": "app",
            "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        }
    )

    assert (seen.waiting, seen.terminated, seen.exit_code) == ("CrashLoopBackOff", "OOMKilled", 137)
    assert seen.waiting_message == "back-off 10s"
    assert seen.run_began is None


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_a_container_that_ended_says_when_that_run_of_it_began(where: str) -> None:
    ended = {"terminated": {"reason": "Error", "startedAt": "2026-03-01T12:00:00Z"}}

    seen = read_container({"name": "app", "restartCount": 2, where: ended})

    assert seen.run_began == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_init_container_that_came_to_its_end_is_done_and_what_runs_again_is_not() -> None:
    ended = {"terminated": {"reason": "Completed", "exitCode": 0}}

    done = read_container({"name": "setup", "ready": True, "state": ended})
    between = read_container({"name": "app", "ready": False, "state": ended})
    again = read_container({"name": "app", "ready": True, "lastState": ended})

    assert (done.done, between.done, again.done) == (True, False, False)


def test_a_pod_is_ready_by_its_condition_and_terminating_by_its_timestamp() -> None:
    seen = read_pod(
        {
            "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
        "app-1",
    )

    assert (seen.ready, seen.terminating) == (True, True)


def test_a_pod_says_since_when_it_is_as_it_is() -> None:
    made, placed, unready = (f"2026-03-01T12:00:0{second}Z" for second in range(3))
    conditions = [
        {"type": "Ready", "lastTransitionTime": unready},
        {"type": "PodScheduled", "lastTransitionTime": placed},
        {"type": "PodReadyToStartContainers", "lastTransitionTime": None},
    ]
    meta = {"name": "a", "creationTimestamp": made}

    new = read_pod({"metadata": meta}, "app-1")
    seen = read_pod({"metadata": meta, "status": {"conditions": conditions}}, "app-1")

    assert new.changed == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert seen.changed == datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)
    assert read_pod({}, "app-1").changed is None


def test_an_unschedulable_pod_says_why() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available",
    }

    assert read_pod({"status": {"conditions": [condition]}}, "x").unschedulable == (
        "0/1 nodes are available"
    )


def secret(auths: Any, kind: str = "kubernetes.io/dockerconfigjson") -> dict[str, Any]:
    content = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return {"type": kind, "data": {".dockerconfigjson": content}}


@pytest.mark.parametrize("host", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v1/"])
@pytest.mark.parametrize(
    "entry",
    [
        {"auth": base64.b64encode(b"bot:s3:cr3t").decode()},
        {"username": "bot", "password": "s3:cr3t"},
    ],
)
def test_a_pull_secret_is_read_in_every_form_that_tools_write(
    host: str, entry: dict[str, str]
) -> None:
    seen = read_pull_secret("ghcr-creds", secret({host: entry}))

    [found] = seen.credentials
    assert (found.host, found.username) == ("ghcr.io", "bot")
    assert found.password.get_secret_value() == "s3:cr3t"
    assert "s3:cr3t" not in repr(seen)


@pytest.mark.parametrize(
    "raw",
    [
        secret({}, "Opaque"),
        secret("nonsense"),
        secret({"ghcr.io": "nonsense"}),
        secret({"ghcr.io": {"auth": "%%%"}}),
        {"type": "kubernetes.io/dockerconfigjson", "data": {}},
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "%%%"}},
    ],
)
def test_a_secret_that_can_not_be_used_says_so_without_its_content(raw: dict[str, Any]) -> None:
    seen = read_pull_secret("ghcr-creds", raw)

    assert seen.exists
    assert seen.problem
    assert not seen.credentials
    assert "%%%" not in seen.problem
    assert "nonsense" not in seen.problem


def test_a_secret_that_is_absent_is_absent() -> None:
    assert not read_pull_secret("ghcr-creds", None).exists


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["metadata", "spec", "status", "name", "conditions", "containerStatuses", "template", "type"]
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["metadata", "status"]), st.none() | st.just({})))
def test_absent_and_empty_parts_are_read_as_nothing(raw: dict[str, Any]) -> None:
    assert read_pod(raw, "x").containers == ()
    assert read_container(raw).restarts == 0
    assert read_workloads(raw, [], [], "app").pods == ()


@pytest.mark.parametrize(
    ("container", "line"),
    [
        (
            Container(
                "app",
                restarts=2,
                waiting="CrashLoopBackOff",
                waiting_message="5s",
                terminated="Error",
                exit_code=9,
            ),
            "app CrashLoopBackOff (5s), last ended by Error, exit code 9, not ready, 2 restarts",
        ),
        (Container("app", ready=True), "app running, ready, 0 restarts"),
        (
            Container("app", terminated="Error", exit_code=7),
            "app last ended by Error, exit code 7, not ready, 0 restarts",
        ),
    ],
)
def test_a_pod_is_told_with_why_its_containers_wait_and_how_they_ended(
    container: Container, line: str
) -> None:
    assert (
        describe_pod(Pod("p", "s", ready=False, containers=(container,))) == f"p: Running; {line}"
    )


def test_a_pod_without_a_node_is_told_with_the_schedulers_words() -> None:
    pod = Pod("p", "s", ready=False, phase="Pending", unschedulable="0/1 nodes are available")

    assert describe_pod(pod) == "p: Pending; 0/1 nodes are available"


def test_every_image_of_a_workload_is_told_whatever_its_kind() -> None:
    job = {"spec": {"jobTemplate": {"spec": {"template": deployment()["spec"]["template"]}}}}
    pod = {
        "spec": {
            "initContainers": [{"image": "init"}],
            "ephemeralContainers": [{"image": "debug"}],
        },
        "status": {"containerStatuses": [{"image": "ghcr.io/x", "imageID": "ghcr.io/x@sha256:1"}]},
    }

    found = set(images_in({"items": [job, pod]}))

    assert found == {"x", IMAGE, "init", "debug", "ghcr.io/x", "ghcr.io/x@sha256:1"}


def test_what_names_a_digest_or_a_commits_tag_is_found_wherever_it_stands() -> None:
    by_digest, by_tag = f"ghcr.io/x@sha256:{'1' * 64}", f"mirror/x:{'2' * 40}"
    spec = {
        "volumes": [{"name": "models", "image": {"reference": by_digest, "pullPolicy": "Always"}}],
        "containers": [
            {"image": "x", "args": ["--runner", by_tag], "env": [{"name": "A", "value": "x:1"}]}
        ],
    }

    assert set(images_in({"spec": spec})) == {"x", by_digest, by_tag}

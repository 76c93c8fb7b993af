"""The cluster client on a real API server, with pods that really run, fail and get killed."""

import asyncio
from typing import Any

import pytest

from sandbox.containerd import PAUSE
from slipway.clients.kubernetes import KubernetesCluster
from slipway.domain.image import Digest
from slipway.domain.rollout import Expectation, Judgement, Verdict, Watch, judge
from slipway.domain.target import Workload
from slipway.domain.workloads import Workloads
from slipway.errors import AccessDenied, DeploymentUnfit, InvalidInput, Unreachable
from tests.sandbox.conftest import KubernetesBox, until
from tests.sandbox.pods import running_digests

pytestmark = [
    pytest.mark.sandbox,
    # The executor's idle threads keep urllib3's pool alive past the test's loop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SERVE = (
    "mkdir -p /w; echo well > /w/health; echo password=hunter2; "
    "exec /busybox httpd -f -p 8080 -h /w"
)
CRASH = "echo cannot open models.json >&2; exit 3"
EAT = "exec /busybox tail /dev/zero"


def deployment(name: str, command: str, image: str = PAUSE, **more: Any) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": image,
        "command": ["/busybox", "sh", "-c", command],
        "resources": {"limits": {"memory": "32Mi"}},
    }
    labels = {"app": name, **more.pop("labels", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "containers": [container],
                    **more,
                },
            },
        },
    }


@pytest.fixture
def client(cluster: KubernetesBox) -> KubernetesCluster:
    return KubernetesCluster(kubeconfig=str(cluster.kubeconfig))


def workload(name: str, **changes: Any) -> Workload:
    return Workload("default", "app", name, **changes)


async def seen(client: KubernetesCluster, name: str) -> Workloads:
    found = await client.observe(workload(name))
    assert found is not None
    return found


async def judged(client: KubernetesCluster, name: str, wanted: Verdict) -> Judgement:
    """Watch a rollout as verify does, until it has this verdict."""
    loop, watch, judgement = asyncio.get_running_loop(), Watch(), None
    deadline = loop.time() + 60
    while judgement is None or judgement.verdict is not wanted:
        assert loop.time() < deadline, judgement
        observed = await seen(client, name)
        digests = {each for each in running_digests(observed, "app").values() if each}
        expected = Expectation(observed.image, frozenset(digests), "app")
        watch, judgement = judge(expected, watch, observed, loop.time())
        await asyncio.sleep(0.2)
    return judgement


async def test_a_running_deployment_is_proven_and_well(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("serves", SERVE))

    judgement = await judged(client, "serves", Verdict.PROVEN)
    observed = await seen(client, "serves")
    health = await client.health(workload("serves"), observed.pods[0].name)

    assert "1 pods ready" in judgement.why
    assert isinstance(running_digests(observed, "app")[observed.pods[0].name], Digest)
    assert (health.status, health.body.strip()) == (200, "well")
    assert await client.node_platforms() == {"linux/amd64"}


async def test_a_container_that_exits_is_disproven_with_its_last_words(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("crashes", CRASH))

    judgement = await judged(client, "crashes", Verdict.DISPROVEN)
    evidence = await client.evidence(await seen(client, "crashes"), "app", judgement.pod)

    assert "exit code 3" in judgement.why
    assert "cannot open models.json" in evidence.log
    assert any("BackOff" in event for event in evidence.events)


async def test_a_container_over_its_memory_limit_is_disproven_as_such(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("eats", EAT))

    judgement = await judged(client, "eats", Verdict.DISPROVEN)

    assert "OOMKilled" in judgement.why


async def test_an_image_that_can_not_be_pulled_names_the_pull(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("absent", SERVE, image="127.0.0.1:1/acme/app:1"))
    cluster.apply(deployment("wrong", SERVE, image="UPPER/Case:1"))

    wrong = await judged(client, "wrong", Verdict.DISPROVEN)
    until(
        lambda: (
            "ErrImagePull" in str(cluster.get("pods", "-l", "app=absent"))
            or "ImagePullBackOff" in str(cluster.get("pods", "-l", "app=absent"))
        ),
        "the pull is refused",
    )
    absent = await judged(client, "absent", Verdict.WAITING)

    assert "InvalidImageName" in wrong.why
    assert "ImagePull" in absent.why


async def test_secrets_in_a_containers_log_are_not_in_the_evidence(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("talks", SERVE))
    await judged(client, "talks", Verdict.PROVEN)

    evidence = await client.evidence(await seen(client, "talks"), "app", "")

    assert "password=***" in evidence.log
    assert "hunter2" not in str(evidence)


async def test_a_field_that_kubectl_took_over_is_named(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("touched", SERVE))
    before = await seen(client, "touched")
    cluster.kubectl("set", "image", "deployment/touched", "app=example.org/acme/other:1")
    cluster.kubectl("scale", "deployment/touched", "--replicas=2")

    after = await seen(client, "touched")

    assert before.image_managers == before.replicas_managers == ("pulumi-kubernetes",)
    assert after.image_managers == ("kubectl-set",)
    assert after.replicas_managers == ("kubectl",)


async def test_a_restart_gives_new_pods_of_the_same_digest(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("again", SERVE))
    await judged(client, "again", Verdict.PROVEN)
    before = running_digests(await seen(client, "again"), "app")

    await client.restart(workload("again"))
    until(lambda: not before.keys() & set(_ready_pods(cluster, "again")), "the old pod is gone")
    await judged(client, "again", Verdict.PROVEN)
    after = running_digests(await seen(client, "again"), "app")

    assert before.keys() != after.keys()
    assert set(before.values()) <= set(after.values())


def _ready_pods(cluster: KubernetesBox, name: str) -> list[str]:
    pods = cluster.get("pods", "-l", f"app={name}")["items"]
    return [each["metadata"]["name"] for each in pods]


async def test_pull_secrets_are_read_with_the_credentials_that_they_hold(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.kubectl(
        *("create", "secret", "docker-registry", "ghcr-creds", "--docker-server=ghcr.io"),
        *("--docker-username=bot", "--docker-password=s3cr3t-canary"),
    )
    named = [{"name": "ghcr-creds"}, {"name": "forgotten"}]
    cluster.apply(deployment("pulls", SERVE, imagePullSecrets=named))

    found, absent = await client.pull_secrets(await seen(client, "pulls"))

    assert [each.host for each in found.credentials] == ["ghcr.io"]
    assert found.credentials[0].password.get_secret_value() == "s3cr3t-canary"
    assert "s3cr3t-canary" not in repr(found)
    assert not absent.exists


async def test_a_template_without_pull_secrets_has_those_of_its_own_service_account(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "puller", "namespace": "default"},
            "imagePullSecrets": [{"name": "of-the-account"}],
        },
        deployment("by-account", SERVE, serviceAccountName="puller"),
    )

    found = await client.pull_secrets(await seen(client, "by-account"))

    assert [each.name for each in found] == ["of-the-account"]


async def test_labels_find_exactly_one_deployment_or_refuse(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    for name in ("one-of", "two-of"):
        cluster.apply(deployment(name, SERVE, labels={"team": "of-two"}))

    with pytest.raises(DeploymentUnfit, match="one-of, two-of"):
        await client.observe(Workload("default", "app", labels=(("team", "of-two"),)))

    found = await client.observe(Workload("default", "app", labels=(("app", "one-of"),)))
    assert found is not None
    assert found.name == "one-of"


async def test_what_is_absent_is_absent_and_another_kind_is_refused_by_name(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    stateful = deployment("keeps", SERVE) | {"kind": "StatefulSet"}
    stateful["spec"]["serviceName"] = "keeps"
    cluster.apply(stateful)

    assert await client.observe(workload("nowhere")) is None
    with pytest.raises(DeploymentUnfit, match="StatefulSet default/keeps is no Deployment"):
        await client.observe(workload("keeps"))


async def test_a_cluster_that_does_not_answer_is_unreachable_and_credentials_are_told_apart(
    cluster: KubernetesBox, client: KubernetesCluster, tmp_path: Any
) -> None:
    text = cluster.kubeconfig.read_text()
    port = cluster.box.port("kubernetes")
    gone = tmp_path / "gone"
    gone.write_text(text.replace(f":{port}", ":1"))
    stranger = tmp_path / "stranger"
    stranger.write_text(text.replace(cluster.box.secret("kubernetes-admin"), "wrong"))

    await client.check()
    with pytest.raises(Unreachable, match="does not answer"):
        await KubernetesCluster(kubeconfig=str(gone)).check()
    with pytest.raises(AccessDenied, match="401"):
        await KubernetesCluster(kubeconfig=str(stranger)).check()
    with pytest.raises(InvalidInput, match="no-such-context"):
        await KubernetesCluster(kubeconfig=str(gone), context="no-such-context").check()

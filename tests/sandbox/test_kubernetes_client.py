"""The cluster client on a real API server, with pods that really run, fail and get killed."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import pytest

from sandbox.containerd import PAUSE
from sandbox.processes import Processes
from slipway.clients.kubernetes import KubernetesCluster
from slipway.domain.image import Digest
from slipway.domain.rollout import Expectation, Verdict, Watch, judge
from slipway.domain.scheduling import (
    ANYWHERE,
    Node,
    Placement,
    Requirement,
    Term,
    Toleration,
    may_come,
)
from slipway.domain.target import Workload
from slipway.domain.workloads import Workloads
from slipway.errors import AccessDenied, InvalidInput, Unreachable
from tests.contracts.cluster import ClusterContract
from tests.contracts.cluster_surroundings import AUTOSCALER, Conflict, Runs, Surroundings, Wish
from tests.sandbox.conftest import KubernetesBox, until

pytestmark = [
    pytest.mark.sandbox,
    # The executor's idle threads keep urllib3's pool alive past the test's loop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SERVE = (
    "mkdir -p /w; echo well > /w/health; echo password=hunter2; "
    "exec /busybox httpd -f -p 8080 -h /w"
)
CRASH = "echo cannot open models.json >&2; exit 1"
EAT = "exec /busybox tail /dev/zero"
HANG = f"(sleep 4; rm /w/health) & {SERVE}"
NODE_INFO = (
    "machineID systemUUID bootID kernelVersion osImage kubeletVersion kubeProxyVersion "
    "containerRuntimeVersion"
)
COMMANDS = {
    Runs.HANGS_LATER: HANG,
    Runs.SICK: "mkdir -p /w; exec /busybox httpd -f -p 8080 -h /w",
    Runs.CRASHES: CRASH,
    Runs.OUT_OF_MEMORY: EAT,
}
PROBES = {Runs.NEVER_READY: ["false"], Runs.HANGS_LATER: ["test", "-e", "/w/health"]}


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


def placed(placement: Placement) -> dict[str, Any]:
    """The fields of a pod's spec that ask for this."""
    found: dict[str, Any] = {
        "nodeSelector": dict(placement.selector),
        "tolerations": [
            {name: value for name, value in asdict(each).items() if value}
            for each in placement.tolerations
        ],
    }
    if placement.terms is not None:
        terms = [
            {
                "matchExpressions": [asdict(each) for each in term.labels],
                "matchFields": [asdict(each) for each in term.fields],
            }
            for term in placement.terms
        ]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        found["affinity"] = {"nodeAffinity": required}
    return {name: value for name, value in found.items() if value}


@pytest.fixture
def client(cluster: KubernetesBox) -> KubernetesCluster:
    return KubernetesCluster(kubeconfig=str(cluster.kubeconfig))


def workload(name: str, **changes: Any) -> Workload:
    return Workload("default", "app", name, **changes)


async def seen(client: KubernetesCluster, name: str) -> Workloads:
    found = await client.observe(workload(name))
    assert found is not None
    return found


class OnKubernetes(Surroundings):
    """Deployments of this test alone, in the cluster that all share."""

    def __init__(self, box: KubernetesBox, client: KubernetesCluster) -> None:
        self._box, self.cluster, self._unique = box, client, uuid4().hex[:6]
        self.accepted, self._account = _digests_of_pause(box), ""

    def workload(self, name: str) -> Workload:
        return workload(f"{name}-{self._unique}")

    def reference(self, runs: Runs) -> str:
        return "127.0.0.1:1/acme/app:1" if runs is Runs.ABSENT else f"contract.invalid/app:{runs}"

    def apply(self, name: str, wish: Wish) -> None:
        more: dict[str, Any] = placed(wish.placement)
        if self._account:
            more["serviceAccountName"] = self._account
        secrets = [{"name": each} for each in wish.pull_secrets]
        made = deployment(
            self.workload(name).name,
            COMMANDS.get(wish.runs, SERVE),
            self.reference(wish.runs),
            labels={"test": self._unique, **dict(wish.labels)},
            imagePullSecrets=secrets,
            **more,
        )
        made["spec"] |= {"replicas": wish.replicas, "paused": wish.paused}
        made["spec"]["progressDeadlineSeconds"] = wish.progress_within
        if (probe := PROBES.get(wish.runs)) is not None:
            [container] = made["spec"]["template"]["spec"]["containers"]
            often = {"periodSeconds": 1, "failureThreshold": 1}
            container["readinessProbe"] = {"exec": {"command": ["/busybox", *probe]}, **often}
        try:
            self._box.apply(made)
        except AssertionError as error:
            if "conflict" in str(error):
                raise Conflict(str(error)) from error
            raise

    def set_image_by_hand(self, name: str, runs: Runs) -> None:
        image = f"app={self.reference(runs)}"
        self._box.kubectl("set", "image", f"deployment/{self.workload(name).name}", image)

    def scale_by_hand(self, name: str, replicas: int) -> None:
        named = f"deployment/{self.workload(name).name}"
        self._box.kubectl("scale", named, f"--replicas={replicas}")

    def autoscale(self, name: str, replicas: int) -> None:
        named = f"deployment/{self.workload(name).name}"
        self._box.kubectl(
            *("patch", named, "--subresource=scale", f"--field-manager={AUTOSCALER}"),
            *("--type=merge", f'--patch={{"spec":{{"replicas":{replicas}}}}}'),
        )

    def add_pull_secret(self, name: str, user: str, password: str) -> str:
        name = f"{name}-{self._unique}"
        self._box.kubectl(
            *("create", "secret", "docker-registry", name, "--docker-server=ghcr.io"),
            *(f"--docker-username={user}", f"--docker-password={password}"),
        )
        return name

    def give_account(self, pull_secret: str) -> None:
        self._account = f"puller-{self._unique}"
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": self._account, "namespace": "default"},
            "imagePullSecrets": [{"name": pull_secret}],
        }
        self._box.apply(account)

    def add_node(self, node: Node) -> str:
        name = f"{node.name}-{self._unique}"
        labels = {**node.labels, "test": self._unique}
        taints = [{"key": it.key, "value": it.value, "effect": it.effect} for it in node.taints]
        made = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": {"unschedulable": node.cordoned, "taints": taints},
        }
        system, _, architecture = node.platform.partition("/")
        info = dict.fromkeys(NODE_INFO.split(), "")
        info |= {"operatingSystem": system, "architecture": architecture}
        said = json.dumps({"status": {"nodeInfo": info}})
        self._box.apply(made)
        self._box.kubectl("patch", "node", name, "--subresource=status", f"--patch={said}")
        return name

    def add_stateful_set(self, name: str) -> None:
        labels = {"test": self._unique}
        made = deployment(self.workload(name).name, SERVE, labels=labels) | {"kind": "StatefulSet"}
        made["spec"]["serviceName"] = name
        self._box.apply(made)

    def stop_controller(self) -> None:
        self._signal_controller(signal.SIGSTOP)

    def continue_controller(self) -> None:
        self._signal_controller(signal.SIGCONT)

    def clean(self) -> None:
        """What is over makes no work for the node that all share."""
        of_ours = f"test={self._unique}"
        self._box.kubectl("delete", "deployments,statefulsets", "-l", of_ours, "--wait=false")
        self._box.kubectl("delete", "nodes", "-l", of_ours, "--wait=false")

    def _signal_controller(self, number: signal.Signals) -> None:
        found = Processes(self._box.box).find("kube-controller-manager")
        assert found is not None
        os.kill(found.pid, number)


@pytest.fixture(scope="module")
def named(cluster: KubernetesBox) -> KubernetesBox:
    """The one image that every node has, under the names that the contract speaks of."""
    names = [f"contract.invalid/app:{each}" for each in Runs if each is not Runs.ABSENT]
    _ctr(cluster, "images", "tag", "--force", PAUSE, *names)
    return cluster


def _digests_of_pause(cluster: KubernetesBox) -> frozenset[Digest]:
    """Of its manifest and of its configuration: a node reports the one or the other."""
    [line] = [
        each
        for each in _ctr(cluster, "images", "list").splitlines()
        if each.split()[0].endswith(PAUSE)
    ]
    [manifest] = re.findall(r"sha256:[0-9a-f]{64}", line)
    content = json.loads(_ctr(cluster, "content", "get", manifest))
    return frozenset({Digest(manifest), Digest(content["config"]["digest"])})


def _ctr(cluster: KubernetesBox, *words: str) -> str:
    socket = str(cluster.box.socket("containerd.sock"))
    command = ["ctr", "--address", socket, "-n", "k8s.io", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class TestOnKubernetes(ClusterContract):
    @pytest.fixture
    def here(self, named: KubernetesBox, client: KubernetesCluster) -> Iterator[Surroundings]:
        made = OnKubernetes(named, client)
        yield made
        made.clean()


def asking(key: str, operator: str, *values: str) -> Placement:
    return Placement(terms=(Term((Requirement(key, operator, values),)),))


async def test_pods_come_to_a_node_where_we_say_so_and_nowhere_else(
    named: KubernetesBox, client: KubernetesCluster
) -> None:
    """The scheduler itself is asked."""
    here, arch = OnKubernetes(named, client), "kubernetes.io/arch"
    [node] = [each.name for each in await client.nodes()]
    name = Requirement("metadata.name", "In", (node,))
    asked = {
        "selected": Placement(((arch, "amd64"),)),
        "selected-elsewhere": Placement(((arch, "arm64"),)),
        "in": asking(arch, "In", "arm64", "amd64"),
        "not-in": asking(arch, "NotIn", "amd64"),
        "not-in-absent": asking("zone", "NotIn", "a"),
        "absent": asking("zone", "DoesNotExist"),
        "present": asking("zone", "Exists"),
        "more": asking("cores", "Gt", "4"),
        "fewer": asking("cores", "Lt", "8"),
        "more-than-none": asking("zone", "Gt", "4"),
        "named": Placement(terms=(Term((), (name,)),)),
        "second-term": Placement(
            terms=(*(asking("zone", "Exists").terms or ()), Term((), (name,)))
        ),
        "nothing-asked": ANYWHERE,
    }
    tolerated = (Toleration("team", value="vision", effect="NoSchedule"),)
    asked = {each: replace(asks, tolerations=tolerated) for each, asks in asked.items()}
    asked["not-tolerated"] = ANYWHERE
    asked["all-tolerated"] = Placement(tolerations=(Toleration(operator="Exists"),))
    asked["another-value"] = Placement(tolerations=(Toleration("team", value="sound"),))
    named.kubectl("label", "node", node, "cores=8")
    named.kubectl("taint", "node", node, "team=vision:NoSchedule")
    try:
        [told] = await client.nodes()
        for each, placement in asked.items():
            here.apply(each, Wish(placement=placement))
        came = {each: await has_come(here, each) for each in asked}
    finally:
        named.kubectl("taint", "node", node, "team-")
        named.kubectl("label", "node", node, "cores-")
        here.clean()

    assert came == {each: may_come(placement, told) for each, placement in asked.items()}


async def has_come(here: OnKubernetes, name: str) -> bool:
    """Whether the scheduler has found a node, once it has tried."""
    seen = await here.until(
        name, lambda seen: any(each.unschedulable or each.containers for each in seen.pods)
    )
    return not seen.pods[0].unschedulable


async def test_a_name_that_can_not_be_one_is_told_as_such(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("wrong", SERVE, image="UPPER/Case:1"))

    until(
        lambda: "InvalidImageName" in str(cluster.get("pods", "-l", "app=wrong")),
        "the kubelet refuses the name",
    )
    observed = await seen(client, "wrong")
    _, judgement = judge(Expectation(observed.image, frozenset(), "app"), Watch(), observed, 0.0)

    assert judgement.verdict is Verdict.DISPROVEN
    assert "InvalidImageName" in judgement.why


async def test_what_explains_a_failure_has_the_last_words_and_no_secrets(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.apply(deployment("talks", SERVE + " & " + CRASH))

    def said() -> bool:
        return "hunter2" in cluster.kubectl("logs", "deployment/talks", "--ignore-errors")

    until(said, "the container has said all of it")
    evidence = await client.evidence(await seen(client, "talks"), "app", "")

    assert "password=***" in evidence.log
    assert "cannot open models.json" in evidence.log
    assert "hunter2" not in str(evidence)


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

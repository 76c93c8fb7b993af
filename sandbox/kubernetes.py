"""A real Kubernetes on this machine: etcd, control plane, and a kubelet that runs pods."""

import base64
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import yaml

from sandbox import containerd, toolchain
from sandbox.box import Box
from sandbox.processes import Processes

NODE = "sandbox"
READY_WITHIN = 180.0
SERVICE_SUBNET = "10.97.0.0/16"


class Kubernetes:
    """The part that runs pods."""

    name = "kubernetes"
    needs = ()
    processes = (
        "etcd",
        "kube-apiserver",
        "containerd",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
    )

    def start(self, box: Box) -> None:
        """Bring up the control plane, then the node; nothing when the user's own is used."""
        if box.options.kubeconfig:
            return
        _start_etcd(box)
        _start_apiserver(box)
        _write_kubeconfigs(box)
        _start_controllers(box)
        containerd.start(box)
        _start_kubelet(box)

    def clean(self, box: Box) -> None:
        """Take down pods, mounts, network and control groups."""
        if not box.options.kubeconfig:
            containerd.clean(box)

    def environment(self, box: Box) -> Mapping[str, str]:
        """Where kubectl finds the cluster, and kubectl itself unless both are the user's."""
        found = {"KUBECONFIG": str(kubeconfig(box))}
        if box.options.kubeconfig:
            return found
        return {**found, "PATH": str(toolchain.binary("kubectl").parent)}


def kubeconfig(box: Box) -> Path:
    """The administrator's kubeconfig: the user's when asked for, else our own."""
    if box.options.kubeconfig:
        return Path(box.options.kubeconfig)
    return box.folder("kubernetes") / "admin.kubeconfig"


def context(box: Box) -> str:
    """The kubeconfig's context to use: the user's current one, or ours."""
    if not box.options.kubeconfig:
        return NODE
    read = yaml.safe_load(kubeconfig(box).read_text())
    return str(read["current-context"])


def _start_etcd(box: Box) -> None:
    client = f"http://127.0.0.1:{box.port('etcd')}"
    peer = f"http://127.0.0.1:{box.port('etcd-peer')}"
    processes = Processes(box)
    processes.start(
        "etcd",
        [
            toolchain.binary("etcd"),
            f"--data-dir={box.folder('kubernetes', 'etcd')}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # nothing here has to survive a power cut
            "--log-level=warn",
        ],
    )
    processes.wait("etcd", "etcd is healthy", lambda: _answers(f"{client}/health"), READY_WITHIN)


def _start_apiserver(box: Box) -> None:
    folder = box.folder("kubernetes")
    key = _service_account_key(folder)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(
        f'{box.secret("kubernetes-admin")},admin,admin,"system:masters"\n'
        f'{box.secret("kubernetes-node")},system:node:{NODE},node,"system:nodes"\n'
    )
    processes = Processes(box)
    processes.start(
        "kube-apiserver",
        [
            toolchain.binary("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{box.port('etcd')}",
            f"--secure-port={box.port('kubernetes')}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.sandbox",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--service-cluster-ip-range={SERVICE_SUBNET}",
            "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged=true",
        ],
    )
    url = f"https://127.0.0.1:{box.port('kubernetes')}/readyz"
    processes.wait("kube-apiserver", "the API server is ready", lambda: _answers(url), READY_WITHIN)


def _start_controllers(box: Box) -> None:
    folder = box.folder("kubernetes")
    common = [f"--kubeconfig={kubeconfig(box)}", "--leader-elect=false", "--secure-port=0"]
    processes = Processes(box)
    processes.start(
        "kube-controller-manager",
        [
            toolchain.binary("kube-controller-manager"),
            *common,
            f"--service-account-private-key-file={_service_account_key(folder)}",
            f"--root-ca-file={_certificate(folder)}",
        ],
    )
    processes.start("kube-scheduler", [toolchain.binary("kube-scheduler"), *common])


def _start_kubelet(box: Box) -> None:
    folder = box.folder("kubernetes", "kubelet")
    configuration = folder / "kubelet.json"
    configuration.write_text(json.dumps(_kubelet_configuration(box), indent=2))
    processes = Processes(box)
    processes.start(
        "kubelet",
        [
            toolchain.binary("kubelet"),
            f"--config={configuration}",
            f"--kubeconfig={box.folder('kubernetes') / 'node.kubeconfig'}",
            f"--hostname-override={NODE}",
            f"--node-ip={containerd.gateway(box)}",
            f"--root-dir={folder / 'root'}",
            f"--cert-dir={folder / 'certificates'}",
        ],
    )
    processes.wait("kubelet", "the node is ready", _node_is_ready(box), READY_WITHIN)


def _kubelet_configuration(box: Box) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": containerd.gateway(box),
        "port": box.port("kubelet"),
        "healthzPort": 0,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": containerd.control_group(box),
        "containerRuntimeEndpoint": f"unix://{box.socket('containerd.sock')}",
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        # Only this machine reaches the bridge's address, and only the API server asks there.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        # A full disk of this machine is not the sandbox's business.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%"},
        "podLogsDir": str(box.folder("kubernetes", "pod-logs")),
        "volumePluginDir": str(box.folder("kubernetes", "volume-plugins")),
    }


def _write_kubeconfigs(box: Box) -> None:
    for name, path in (
        ("admin", kubeconfig(box)),
        ("node", box.folder("kubernetes") / "node.kubeconfig"),
    ):
        authority = _certificate(box.folder("kubernetes")).read_bytes()
        server = {
            "server": f"https://127.0.0.1:{box.port('kubernetes')}",
            "certificate-authority-data": base64.b64encode(authority).decode(),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": server}],
            "users": [{"name": name, "user": {"token": box.secret(f"kubernetes-{name}")}}],
            "contexts": [{"name": NODE, "context": {"cluster": NODE, "user": name}}],
            "current-context": NODE,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2))


def _certificate(folder: Path) -> Path:
    return folder / "certificates" / "apiserver.crt"


def _service_account_key(folder: Path) -> Path:
    key = folder / "service-accounts.key"
    if not key.exists():
        subprocess.run(
            ["/usr/bin/openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True
        )
        key.chmod(0o600)
    return key


def _node_is_ready(box: Box) -> Callable[[], bool]:
    url = f"https://127.0.0.1:{box.port('kubernetes')}/api/v1/nodes/{NODE}"
    headers = {"Authorization": f"Bearer {box.secret('kubernetes-admin')}"}

    def ready() -> bool:
        answer = _get(url, headers)
        if answer is None or answer.status_code != httpx.codes.OK:
            return False
        conditions = answer.json()["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    return ready


def _answers(url: str) -> bool:
    answer = _get(url, {})
    return answer is not None and answer.status_code == httpx.codes.OK


def _get(url: str, headers: Mapping[str, str]) -> httpx.Response | None:
    try:
        return httpx.get(
            url,
            headers=dict(headers),
            verify=False,  # noqa: S501 - the server's own certificate, made here a moment ago
            timeout=2.0,
        )
    except httpx.TransportError:
        return None

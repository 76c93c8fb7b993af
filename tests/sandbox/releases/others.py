"""What other people and other tools do to the running example, as they really do it."""

import base64
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from sandbox import example, image_registry, kubernetes, pulumi, repository, toolchain
from sandbox.box import Box
from sandbox.processes import Processes
from sandbox.token_issuer.accounts import PULLER, read_accounts, revoked, write_accounts
from slipway.domain.image import PublishedImage
from tests.sandbox.conftest import until
from tests.sandbox.witness import delete_from_registry

ENVIRONMENTS = f"/api/esc/environments/{pulumi.ORGANIZATION}"
SERVER_FIELDS = ("resourceVersion", "uid", "creationTimestamp", "managedFields")
PULL_SECRET = "ghcr-creds"
SPOILT = ".dockerconfigjson={}"
"""JSON, as the API server wants it, without any host."""


class Esc:
    """The ESC environment, as the operator edits it."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def definition(self) -> str:
        """The environment's whole text."""
        return self._ask("GET", f"/default/{example.ENVIRONMENT}").text

    def definition_at(self, revision: int) -> str:
        """The text as it was at a revision."""
        return self._ask("GET", f"/default/{example.ENVIRONMENT}/versions/{revision}").text

    def edit(self, change: Callable[[str], str]) -> None:
        """Change the text."""
        self._ask("PATCH", f"/default/{example.ENVIRONMENT}", change(self.definition()))

    @contextlib.contextmanager
    def edited(self, change: Callable[[str], str]) -> Iterator[None]:
        """Change the text as long as the context lasts."""
        before = self.definition()
        self.edit(change)
        try:
            yield
        finally:
            self.edit(lambda _: before)

    def create(self, name: str) -> None:
        """Make another environment, with nothing in it."""
        self._ask("POST", "", json.dumps({"project": "default", "name": name}))

    def delete(self, name: str) -> None:
        """Delete another environment, whoever imports it."""
        self._ask("DELETE", f"/default/{name}")

    def _ask(self, method: str, path: str, content: str | None = None) -> httpx.Response:
        headers = {
            "Authorization": f"token {pulumi.token(self._box, 'operator')}",
            "Content-Type": "application/json" if path == "" else "application/x-yaml",
        }
        address = f"{pulumi.backend(self._box)}{ENVIRONMENTS}{path}"
        answer = httpx.request(method, address, content=content, headers=headers, timeout=10)
        return answer.raise_for_status()


class Kubectl:
    """Somebody with kubectl, in the example's namespace."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def __call__(self, *words: str, stdin: str = "") -> str:
        """What kubectl prints; the test fails when it does."""
        kubeconfig = f"--kubeconfig={kubernetes.kubeconfig(self._box)}"
        done = subprocess.run(
            [toolchain.binary("kubectl"), kubeconfig, "--namespace=apps", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> Any:
        """Objects as the API server has them."""
        return json.loads(self("get", *words, "--output=json"))

    def take_back(self, wanted: Mapping[str, Any]) -> None:
        """Take an object's fields back for Pulumi's manager, as a refusal says."""
        self(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=pulumi-kubernetes",
            "--filename=-",
            stdin=json.dumps(wanted),
        )

    @contextlib.contextmanager
    def touched(self, deployment: str) -> Iterator[None]:
        """Whatever is done to a Deployment in this context is taken back at its end."""
        before = self.get("deployment", deployment)
        metadata = before["metadata"]
        before["metadata"] = {name: metadata[name] for name in ("name", "namespace", "labels")}
        del before["status"]
        try:
            yield
        finally:
            self.take_back(before)

    @contextlib.contextmanager
    def pull_secret_gone(self) -> Iterator[None]:
        """There is no pull secret as long as the context lasts."""
        with self._pull_secret_again():
            self("delete", "secret", PULL_SECRET)
            yield

    @contextlib.contextmanager
    def pull_secret_spoilt(self) -> Iterator[None]:
        """Somebody has made the pull secret anew, in another form, as long as the context lasts."""
        with self._pull_secret_again():
            self("delete", "secret", PULL_SECRET)
            kind = "--type=kubernetes.io/dockerconfigjson"
            self("create", "secret", "generic", PULL_SECRET, kind, f"--from-literal={SPOILT}")
            yield

    @contextlib.contextmanager
    def pull_secret_for(self, host: str) -> Iterator[None]:
        """The pull secret is for another registry as long as the context lasts."""
        with self._pull_secret_again():
            config = json.dumps({"auths": {host: {"username": "puller", "password": "x"}}})
            data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
            self("patch", "secret", PULL_SECRET, "--patch", json.dumps({"data": data}))
            yield

    @contextlib.contextmanager
    def _pull_secret_again(self) -> Iterator[None]:
        secret = self.get("secret", PULL_SECRET)
        for name in SERVER_FIELDS:
            secret["metadata"].pop(name, None)
        try:
            yield
        finally:
            self.take_back(secret)


class Operator:
    """Somebody who runs the pulumi CLI by hand, from a checkout of their own."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.checkout = box.folder("operator")

    def pull(self, change: Callable[[str], str] = str) -> None:
        """Check main out; `change` edits the program without committing it."""
        if not (self.checkout / ".git").exists():
            self._run("git", "clone", "--quiet", str(repository.path(self._box)), ".")
        self._run("git", "fetch", "--quiet", "origin", "main")
        self._run("git", "reset", "--quiet", "--hard", "origin/main")
        program = self.checkout / "cluster" / "Pulumi.yaml"
        program.write_text(change(program.read_text()))

    def up(self, change: Callable[[str], str] = str) -> None:
        """`pulumi up` of main, perhaps edited, to its end."""
        self.pull(change)
        self._run(*self._words("up"), "--skip-preview")

    def mend(self) -> None:
        """`pulumi refresh`, then `pulumi up`: the state is what is so, and then as it should be."""
        self.pull()
        self._run(*self._words("refresh"), "--skip-preview")
        self._run(*self._words("up"), "--skip-preview")

    @contextlib.contextmanager
    def holding_the_stack(self) -> Iterator[Callable[[], None]]:
        """A `pulumi refresh` stands still while it holds the stack; gives what lets it go on."""
        self.pull()
        process = subprocess.Popen(
            [*self._words("refresh"), "--skip-preview"],
            env=self._environment(),
            cwd=self.checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            until(self.stack_is_held, "somebody's refresh holds the stack")
            process.send_signal(signal.SIGSTOP)
            assert self.stack_is_held()
            yield lambda: process.send_signal(signal.SIGCONT)
        finally:
            process.send_signal(signal.SIGCONT)
            printed, _ = process.communicate(timeout=60)
            assert process.returncode == 0, printed

    def stack_is_held(self) -> bool:
        address = f"{pulumi.backend(self._box)}/api/stacks/{example.STACK}"
        headers = {"Authorization": f"token {pulumi.token(self._box, 'operator')}"}
        return bool(httpx.get(address, headers=headers).json().get("currentOperation"))

    def _words(self, verb: str) -> list[str]:
        program = f"--cwd={self.checkout / 'cluster'}"
        return [
            str(pulumi.command(self._box)),
            verb,
            program,
            "--yes",
            "--non-interactive",
            f"--stack={example.STACK}",
        ]

    def _environment(self) -> dict[str, str]:
        kubeconfig = str(kubernetes.kubeconfig(self._box))
        theirs = pulumi.PulumiCloud().environment(self._box)
        return {**os.environ, **theirs, "KUBECONFIG": kubeconfig, "PATH": os.environ["PATH"]}

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            words,
            env=self._environment(),
            cwd=self.checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def pull_account_revoked(box: Box) -> Iterator[None]:
    """The cluster's pull secret is rejected as long as the context lasts."""
    with revoked(image_registry.folder(box), PULLER):
        yield


@contextlib.contextmanager
def pull_password_changed(box: Box) -> Iterator[str]:
    """The registry takes another password of the pull account; gives it."""
    folder = image_registry.folder(box)
    before = read_accounts(folder)
    renewed = f"renewed-{os.urandom(6).hex()}"
    write_accounts(folder, {**before, PULLER: replace(before[PULLER], password=renewed)})
    try:
        yield renewed
    finally:
        write_accounts(folder, before)


def delete_everywhere(box: Box, image: PublishedImage, tag: str) -> None:
    """Delete an image from the registry, every tag of it, and from the node."""
    delete_from_registry(box, f"{image.repository}:{tag}")
    delete_from_node(box, image)


def delete_from_node(box: Box, image: PublishedImage) -> None:
    """Delete an image from the node: whoever starts it again has to pull it."""
    for name, digest in _images_on_the_node(box).items():
        if digest == str(image.digest):
            _ctr(box, "images", "remove", "--sync", name)
    assert str(image.digest) not in _images_on_the_node(box).values()


@contextlib.contextmanager
def another_node(kubectl: Kubectl, architecture: str) -> Iterator[None]:
    """The cluster has a node of this kind too, as its own kubelet would say it."""
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": architecture}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "another", "labels": labels}}
    words = "machineID systemUUID bootID kernelVersion osImage kubeletVersion kubeProxyVersion "
    words += "containerRuntimeVersion"
    info = dict.fromkeys(words.split(), "")
    info |= {"operatingSystem": "linux", "architecture": architecture}
    said = json.dumps({"status": {"nodeInfo": info}})
    kubectl("create", "--filename=-", stdin=json.dumps(node))
    try:
        kubectl("patch", "node", "another", "--subresource=status", f"--patch={said}")
        yield
    finally:
        kubectl("delete", "node", "another")


def kill_container(box: Box, container: str) -> None:
    """End a running container as the kernel does it; the kubelet starts it again."""
    _ctr(box, "tasks", "kill", "--signal", "SIGKILL", container)


def _images_on_the_node(box: Box) -> dict[str, str]:
    """Name → digest of everything that containerd keeps for the kubelet."""
    lines = _ctr(box, "images", "list").splitlines()[1:]
    return {line.split()[0]: line.split()[2] for line in lines}


def _ctr(box: Box, *words: str) -> str:
    socket = f"--address={box.socket('containerd.sock')}"
    done = subprocess.run(
        ["/usr/bin/ctr", socket, "--namespace=k8s.io", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def api_server_frozen(box: Box) -> Iterator[Callable[[], None]]:
    """Gives what stops the API server; it goes on when the context ends."""
    apiserver = Processes(box).find("kube-apiserver")
    assert apiserver is not None
    try:
        yield lambda: os.kill(apiserver.pid, signal.SIGSTOP)
    finally:
        os.kill(apiserver.pid, signal.SIGCONT)


def kill_provider(box: Box) -> None:
    """Kill the plugin that changes the cluster for the update under way."""
    ours = f"PULUMI_HOME={pulumi.home(box)}"
    killed = 0
    for each in Path("/proc").iterdir():
        if "sandbox.kubernetes_provider" in _words_in(each / "cmdline") and ours in _words_in(
            each / "environ"
        ):
            os.kill(int(each.name), signal.SIGKILL)
            killed += 1
    assert killed, "no provider ran"


def _words_in(file: Path) -> list[str]:
    """The words of a file of /proc; none when there is no such process (any more)."""
    try:
        return file.read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return []

"""The running example, as the tests of whole releases use it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from blocks.clients import build_ports
from blocks.file import SlipwayFile
from blocks.settings import TargetSettings
from flows import deploy, rollback
from sandbox import example, image_registry, kubernetes, pulumi, repository, toolchain
from sandbox.box import Box
from sandbox.token_issuer.accounts import PUBLISHER, PULLER, revoked
from slipway.domain.commit import Commit
from slipway.domain.image import PublishedImage
from slipway.domain.release import Kind, Options, Outcome, Request
from slipway.domain.rollout import Workloads
from slipway.ports import ConfigStore, Ports, Stack
from tests.sandbox.pods import running_digests

ADAPTER, SINK = "ls-triton-adapter-prod", "annotations-sink-prod"
ENVIRONMENT_PATH = f"{pulumi.ORGANIZATION}/default/{example.ENVIRONMENT}"

START = """\
#!/bin/sh
trap 'kill "$server"; exit 0' TERM INT
echo "release $(cat /srv/release) starts"
{before}
nc -ll -p 8080 -e /srv/answer.sh &
server=$!
wait "$server"
"""
BEHAVIOURS = {
    "good": "",
    "crashes": "echo 'models.json: no such file or directory' >&2; exit 7",
    "never-ready": "sleep 3600",
    "out-of-memory": "x=$(head -c 200000000 /dev/zero | tr '\\0' x)",
    "does-not-compile": "if",
}


@dataclass
class RealWorld:
    """Ports on real parts, with commits and disturbances made on demand."""

    box: Box
    clone: Path
    built: list[Ports] = field(default_factory=list)

    async def ports(self, name: str = ADAPTER, **target: Any) -> Ports:
        """A target's ports, quick enough for tests: a short soak."""
        file = SlipwayFile(self.box.root / "slipway.toml", self.environment)

        async def find(other: str) -> TargetSettings:
            return file.target(other)

        built = build_ports(file.target(name), find)
        self.built.append(built)
        quick = {"soak": 1.0, "ready_within": 40.0, **target}
        return replace(built, target=replace(built.target, **quick))

    @property
    def environment(self) -> dict[str, str]:
        """What slipway.toml takes from the environment, and the ledger's address."""
        return {**os.environ, **example.variables(self.box)}

    async def deploy(self, wanted: Commit | str, **changes: Any) -> Outcome:
        """Deploy at the adapter, as `--local` does."""
        ports = changes.pop("ports", None) or await self.ports()
        request = Request(Kind.DEPLOY, str(wanted), "ada", options=Options(**changes))
        return await deploy.release(ports, request)

    async def close(self) -> None:
        """Close what the ports have opened."""
        for each in self.built:
            await each.close()

    async def roll_back(self, to: Commit | str = "previous") -> Outcome:
        """Roll the adapter back."""
        request = Request(Kind.ROLLBACK, str(to), "ada", why="a test says so")
        return await rollback.release(await self.ports(), request)

    def commit(self, behaviour: str = "good", files: Mapping[str, str] | None = None) -> Commit:
        """Push a new commit to main whose adapter behaves so; other files may change with it."""
        made = int(self._git("rev-list", "--count", "HEAD"))
        start = START.format(before=BEHAVIOURS[behaviour])
        changed = {
            "adapter/src/start.sh": start,
            "adapter/src/release": f"{behaviour} {made}\n",
            **(files or {}),
        }
        for path, text in changed.items():
            (self.clone / path).write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"{behaviour} {made}")
        self._git("push", "--quiet", "origin", "HEAD:main")
        return Commit(self._git("rev-parse", "HEAD"))

    async def running(self, name: str = ADAPTER) -> set[str]:
        """The digests of the pods that run."""
        ports = await self.ports(name)
        seen = await self.observe(name)
        container = ports.target.workload.container
        return {str(each) for each in running_digests(seen, container).values()}

    async def observe(self, name: str = ADAPTER) -> Workloads:
        """The Deployment as it is."""
        ports = await self.ports(name)
        seen = await ports.cluster.observe(ports.target.workload)
        assert seen is not None
        return seen

    async def value(self, name: str = ADAPTER) -> tuple[str | None, int]:
        """The key's value in ESC, and the environment's revision."""
        ports = await self.ports(name)
        snapshot = await ports.config.read(ports.target.config_key)
        return snapshot.value, snapshot.revision

    async def versions(self) -> int:
        """How many updates the stack has had."""
        ports = await self.ports()
        last = (await ports.stack.state()).last_update
        return last.version if last else 0

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """What kubectl prints in the example's namespace."""
        kubeconfig = f"--kubeconfig={kubernetes.kubeconfig(self.box)}"
        done = subprocess.run(
            [toolchain.binary("kubectl"), kubeconfig, "--namespace=apps", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def definition(self) -> str:
        """The ESC environment's whole text."""
        return self._esc("GET").text

    def edit(self, change: Callable[[str], str]) -> None:
        """Somebody else edits the ESC environment."""
        self._esc("PATCH", change(self.definition())).raise_for_status()

    @contextlib.contextmanager
    def revoked_pull_account(self) -> Iterator[None]:
        """The cluster's pull secret is rejected as long as the context lasts."""
        with revoked(image_registry.folder(self.box), PULLER):
            yield

    def delete_image(self, image: PublishedImage) -> None:
        """Delete an image and every tag of it from the registry, as its publisher may."""
        account = image_registry.accounts(self.box)[PUBLISHER]
        host, _, path = image.repository.partition("/")
        issuer = f"http://127.0.0.1:{self.box.port('token-issuer')}/token"
        scope = {"service": host, "scope": f"repository:{path}:pull,push,delete"}
        token = httpx.get(issuer, params=scope, auth=(account.username, account.password)).json()
        address = f"http://{host}/v2/{path}/manifests/{image.digest}"
        headers = {"Authorization": f"Bearer {token['token']}"}
        httpx.delete(address, headers=headers).raise_for_status()

    def hand_back(self, deployment: str, image: str) -> None:
        """Take a Deployment's fields back for Pulumi's manager, as the refusal says."""
        raw = json.loads(self.kubectl("get", "deployment", deployment, "--output=json"))
        raw["metadata"] = {key: raw["metadata"][key] for key in ("name", "namespace", "labels")}
        raw["spec"]["template"]["spec"]["containers"][0]["image"] = image
        del raw["status"]
        self.kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=pulumi-kubernetes",
            "--filename=-",
            stdin=json.dumps(raw),
        )

    def slipway(self, *words: str) -> subprocess.Popen[str]:
        """Start the command line, as a person would."""
        program = "from slipway.cli.main import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env=self.environment,
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def history(self, name: str = ADAPTER) -> list[dict[str, Any]]:
        """`slipway history --json`."""
        process = self.slipway("history", name, "--json")
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        found: list[dict[str, Any]] = json.loads(output)
        return found

    def _esc(self, method: str, content: str | None = None) -> httpx.Response:
        address = f"{pulumi.backend(self.box)}/api/esc/environments/{ENVIRONMENT_PATH}"
        headers = {
            "Authorization": f"token {pulumi.token(self.box, 'operator')}",
            "Content-Type": "application/x-yaml",
        }
        return httpx.request(method, address, content=content, headers=headers, timeout=10)

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["/usr/bin/git", "-C", self.clone, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def make_world(box: Box) -> RealWorld:
    """A world on a running box, with a clone of the example to commit in."""
    clone = box.folder("clone")
    world = RealWorld(box, clone)
    if not (clone / ".git").exists():
        world._git("init", "--quiet", "--initial-branch=main")
        world._git("remote", "add", "origin", str(repository.path(box)))
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.invalid")):
            world._git("config", name, value)
        world._git("fetch", "--quiet", "origin", "main")
        world._git("reset", "--quiet", "--hard", "origin/main")
    return world


class Disturbed:
    """A port that does something just before, or after, one of its methods, once."""

    def __init__(
        self,
        port: object,
        method: str,
        disturb: Callable[[], Awaitable[None]],
        *,
        after: bool = False,
    ) -> None:
        self._port, self._method, self._disturb, self._after = port, method, disturb, after
        self._done = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name != self._method or self._done:
            return found

        async def disturbed(*arguments: Any, **named: Any) -> Any:
            first, self._done = not self._done, True
            if first and not self._after:
                await self._disturb()
            result = await found(*arguments, **named)
            if first and self._after:
                await self._disturb()
            return result

        return disturbed


def before_up(ports: Ports, disturb: Callable[[], Awaitable[None]]) -> Ports:
    """The same ports, disturbed just before `pulumi up`."""
    stack: Stack = Disturbed(ports.stack, "up", disturb)
    return replace(ports, stack=stack)


def after_up(ports: Ports, disturb: Callable[[], Awaitable[None]]) -> Ports:
    """The same ports, disturbed as soon as `pulumi up` has ended."""
    stack: Stack = Disturbed(ports.stack, "up", disturb, after=True)
    return replace(ports, stack=stack)


def before_write(ports: Ports, disturb: Callable[[], Awaitable[None]]) -> Ports:
    """The same ports, disturbed between the read and the write of the ESC environment."""
    config: ConfigStore = Disturbed(ports.config, "write", disturb)
    return replace(ports, config=config)

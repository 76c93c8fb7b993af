"""The sandbox as the benchmarks use it: running, with commits made on demand."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from benchmarks import SOAK
from blocks.clients import build_ports
from blocks.file import SlipwayFile
from blocks.settings import TargetSettings
from sandbox import example, image_registry, kubernetes, pulumi, repository
from sandbox.box import Box
from sandbox.part import is_up, start_all, stop_all
from sandbox.parts import WITHOUT_GITHUB as PARTS
from sandbox.prepare import prepare
from sandbox.token_issuer.accounts import PUBLISHER
from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.pulumi_cli import PulumiCli
from slipway.ports import Ports

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
ADAPTER = "ls-triton-adapter-prod"
SELECTOR = "app=ls-triton-adapter"
START = """\
#!/bin/sh
trap 'kill "$server"; exit 0' TERM INT
{before}
nc -ll -p 8080 -e /srv/answer.sh &
server=$!
wait "$server"
"""


@dataclass
class World:
    """A running sandbox with the example, and a work tree as a person has it."""

    box: Box
    built: list[Ports] = field(default_factory=list)
    made: int = 0

    @property
    def tree(self) -> Path:
        """The work tree, at the newest commit."""
        return self.box.folder("bench", "tree")

    @property
    def environment(self) -> dict[str, str]:
        """What a person's shell has for slipway, kubectl, pulumi, prefect, docker and skopeo."""
        values = _inherited()
        paths = []
        for part in PARTS:
            for name, value in part.environment(self.box).items():
                if name == "PATH":
                    paths.append(value)
                else:
                    values[name] = value
        return {
            **values,
            "PATH": ":".join([*paths, values["PATH"]]),
            "XDG_STATE_HOME": str(self.box.folder("bench", "state")),
            "DOCKER_CONFIG": str(self._logged_in()),
        }

    def by_hand(self, repository: str = "") -> dict[str, str]:
        """The environment of by_hand.sh."""
        organization = pulumi.ORGANIZATION
        return {
            **self.environment,
            "REPOSITORY": repository or self.repository,
            "FOLDER": "adapter",
            "ENVIRONMENT": f"{organization}/default/{example.ENVIRONMENT}",
            "KEY": "oceanid-cluster:adapterImage",
            "STACK": example.STACK,
            "NAMESPACE": "apps",
            "DEPLOYMENT": "ls-triton-adapter",
            "SELECTOR": SELECTOR,
            "SOAK": f"{SOAK:g}",
        }

    @property
    def repository(self) -> str:
        """The adapter's image repository."""
        return self.settings().target().service.repository

    def settings(self, name: str = ADAPTER) -> TargetSettings:
        """A target as the sandbox's slipway.toml has it, with the benchmarks' soak."""
        file = SlipwayFile(self.box.root / "slipway.toml", self.environment)
        return file.target(name).model_copy(update={"soak": SOAK})

    def ports(self, repository: str = "") -> Ports:
        """The adapter's ports, with nothing remembered; with another image repository if asked."""

        async def find(name: str) -> TargetSettings:
            return self.settings(name)

        ports = build_ports(self.settings(), find)
        self.built.append(ports)
        if repository:
            service = replace(ports.target.service, repository=repository)
            ports = replace(ports, target=replace(ports.target, service=service))
        return ports

    def pulumi_api(self) -> PulumiApi:
        """Slipway's account at Pulumi Cloud."""
        return PulumiApi(pulumi.backend(self.box), SecretStr(pulumi.token(self.box, "slipway")))

    def pulumi_cli(self) -> PulumiCli:
        """The CLI as Slipway calls it."""
        environment = {"KUBECONFIG": str(kubernetes.kubeconfig(self.box))}
        cli, home = str(pulumi.command(self.box)), pulumi.home(self.box)
        return PulumiCli(self.pulumi_api(), cli, home, environment)

    def make_environment(self, name: str, definition: str) -> int:
        """An ESC environment of the project `default`, with its definition; the revision."""
        wanted = {"project": "default", "name": name}
        with self._environments() as http:
            http.post(pulumi.ORGANIZATION, json=wanted).raise_for_status()
        return self.define(name, definition)

    def define(self, name: str, definition: str) -> int:
        """Write another definition of it, as a person does in the console; the new revision."""
        with self._environments() as http:
            path = f"{pulumi.ORGANIZATION}/default/{name}"
            answer = http.patch(path, content=definition).raise_for_status()
        return int(answer.headers["pulumi-esc-revision"])

    async def close(self) -> None:
        """Close what the ports have opened."""
        for each in self.built:
            await each.close()
        self.built.clear()

    def commit(
        self, before: str = "", files: Mapping[str, bytes] | None = None, *, docs: bool = False
    ) -> str:
        """Push a new commit to main: of the adapter, or (`docs`) of nothing that is built."""
        self.made += 1
        name = f"bench {self.made} {os.urandom(4).hex()}"
        changed = {"adapter/README.md": f"{name}\n".encode()}
        if not docs:
            changed = {
                "adapter/src/start.sh": START.format(before=before).encode(),
                "adapter/src/release": f"{name}\n".encode(),
            }
        for path, content in {**changed, **(files or {})}.items():
            (self.tree / path).write_bytes(content)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", name)
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def prepare_tree(self) -> None:
        """Clone the example, unless that is done."""
        if (self.tree / ".git").exists():
            self._git("pull", "--quiet", "origin", "main")
            return
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("remote", "add", "origin", str(repository.path(self.box)))
        for name, value in (("user.name", "Ada"), ("user.email", "ada@example.invalid")):
            self._git("config", name, value)
        self._git("fetch", "--quiet", "origin", "main")
        self._git("reset", "--quiet", "--hard", "origin/main")

    def registry_token(self, repository: str, actions: str) -> str:
        """The header that lets its bearer do this at the registry."""
        account = image_registry.accounts(self.box)[PUBLISHER]
        host, _, path = repository.partition("/")
        answer = httpx.get(
            f"http://127.0.0.1:{self.box.port('token-issuer')}/token",
            params={"service": host, "scope": f"repository:{path}:{actions}"},
            auth=(account.username, account.password),
        )
        return f"Bearer {answer.raise_for_status().json()['token']}"

    def registry_client(self, repository: str, actions: str) -> httpx.Client:
        """A client at a repository of the registry that may do this, with its token already."""
        host, _, path = repository.partition("/")
        headers = {"Authorization": self.registry_token(repository, actions)}
        return httpx.Client(base_url=f"http://{host}/v2/{path}/", headers=headers)

    def delete_image(self, repository: str, digest: str) -> None:
        """Delete an image, and every tag of it, from the registry."""
        host, _, path = repository.partition("/")
        headers = {"Authorization": self.registry_token(repository, "pull,push,delete")}
        address = f"http://{host}/v2/{path}/manifests/{digest}"
        httpx.delete(address, headers=headers).raise_for_status()

    def cluster(self) -> tuple[str, dict[str, str], str]:
        """Address, headers and certificate file of the API server."""
        content: dict[str, Any] = json.loads(kubernetes.kubeconfig(self.box).read_text())
        server = content["clusters"][0]["cluster"]
        authority = self.box.folder("bench") / "ca.crt"
        authority.write_bytes(base64.b64decode(server["certificate-authority-data"]))
        token = content["users"][0]["user"]["token"]
        return server["server"], {"Authorization": f"Bearer {token}"}, str(authority)

    def _logged_in(self) -> Path:
        """What `docker login` leaves."""
        folder = self.box.folder("bench", "docker")
        account = image_registry.accounts(self.box)[PUBLISHER]
        pair = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()
        auths = {"auths": {image_registry.host(self.box): {"auth": pair}}}
        (folder / "config.json").write_text(json.dumps(auths))
        return folder

    def _environments(self) -> httpx.Client:
        headers = {"Authorization": f"token {pulumi.token(self.box, 'operator')}"}
        base = f"{pulumi.backend(self.box)}/api/esc/environments"
        return httpx.Client(base_url=base, headers=headers, timeout=300)

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", self.tree, *words],  # noqa: S607 - the git that the user has
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"git {' '.join(words)} failed: {done.stderr}")
        return done.stdout.strip()


@contextlib.contextmanager
def running(state: Path | None) -> Iterator[World]:
    """A world of our own, gone afterwards; in `state`, one that is there or stays."""
    if problems := prepare():
        raise RuntimeError("; ".join(problems))
    box = Box(state.resolve() if state else Path(tempfile.mkdtemp(prefix="slipway-bench-")))
    try:
        if not is_up(box, PARTS):
            start_all(box, PARTS)
        world = World(box)
        os.environ["SLIPWAY_LEDGER_URL"] = world.environment["SLIPWAY_LEDGER_URL"]
        os.environ["XDG_STATE_HOME"] = world.environment["XDG_STATE_HOME"]
        world.prepare_tree()
        yield world
    finally:
        if state is None:
            stop_all(box, PARTS)
            shutil.rmtree(box.root, ignore_errors=True)


def _inherited() -> dict[str, str]:
    """What of our environment counts; not PYTHONDONTWRITEBYTECODE: users have compiled files."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}

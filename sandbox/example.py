"""The example as somebody deployed it by hand before Slipway: published, pinned by tag, applied."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import httpx

from sandbox import docker_engine, image_registry, kubernetes, pulumi, repository
from sandbox.box import Box
from sandbox.example_images import REPOSITORIES, publish_by_hand
from sandbox.github import places as github
from sandbox.github.deliveries import HOOK
from sandbox.github.push import FULL_NAME
from sandbox.token_issuer.accounts import PUBLISHER, PULLER, Account

ENVIRONMENT = "oceanid-cluster"
STACK = f"{pulumi.ORGANIZATION}/oceanid-cluster/prod"

DEFINITION = """\
# What the cluster's program reads. The images are set by hand, one line each:
#   pulumi env set {organization}/default/{environment} 'pulumiConfig["…Image"]' …
values:
  pulumiConfig:
    oceanid-cluster:adapterImage: {adapter}   # what runs
    oceanid-cluster:sinkImage: {sink}
    oceanid-cluster:registryHost: {host}
    oceanid-cluster:ghcrUsername: {user}
    oceanid-cluster:ghcrToken:
      fn::secret: {password}

  # Used by nothing in this program; other people keep their settings here too.
  teams: {{ reviewers: [ada, bob],  pager:  "on" }}
"""

TOLD = """\
github_token = {{ environment = "SANDBOX_GITHUB_TOKEN" }}
github_api = "{api}"
github_hook = {hook}
"""


def seed(box: Box) -> None:
    """Leave the example as if deployed by hand, unless it stands there already."""
    done = box.folder("example") / "seeded.json"
    if done.exists():
        return
    first = repository.commits(box)["first"]
    accounts = image_registry.accounts(box)
    images = publish_by_hand(
        docker_engine.engine(box),
        image_registry.host(box),
        accounts[PUBLISHER],
        repository.path(box),
        first,
    )
    _write_environment(box, images, accounts[PULLER])
    _apply(box, first)
    done.write_text(json.dumps(images, indent=1))


def write_configuration(box: Box, *, tells_github: bool = False) -> Path:
    """The slipway.toml of the sandbox; its secrets come from the environment.

    Where GitHub's API is not up, nobody must be told anything there.
    """
    host = image_registry.host(box)
    told = TOLD.format(api=github.api(box), hook=HOOK) if tells_github else ""
    path = box.folder() / "slipway.toml"
    path.write_text(
        f"""\
# Written by the sandbox. `eval "$(python -m sandbox env)"` sets the variables that it names.
[repositories.example]
url = "{repository.path(box)}"
github = "{FULL_NAME}"
{told}
[registries.sandbox]
host = "{host}"
username = "{PUBLISHER}"
password = {{ environment = "SANDBOX_REGISTRY_PASSWORD" }}
insecure = true

[pulumi.sandbox]
token = {{ environment = "SANDBOX_PULUMI_TOKEN" }}
backend = "{pulumi.backend(box)}"
cli = "{pulumi.command(box)}"
home = "{pulumi.home(box)}"

[clusters.sandbox]
kubeconfig = "{kubernetes.kubeconfig(box)}"
context = "{kubernetes.context(box)}"

[docker.sandbox]
host = "{docker_engine.engine(box)}"

[targets.ls-triton-adapter-prod]
image = "{host}/{REPOSITORIES["adapter"]}"
folder = "adapter"
stack = "{STACK}"
environment = "{pulumi.ORGANIZATION}/default/{ENVIRONMENT}"
key = "oceanid-cluster:adapterImage"
namespace = "apps"
labels = {{ app = "ls-triton-adapter" }}
container = "adapter"

[targets.annotations-sink-prod]
image = "{host}/{REPOSITORIES["sink"]}"
folder = "sink"
stack = "{STACK}"
environment = "{pulumi.ORGANIZATION}/default/{ENVIRONMENT}"
key = "oceanid-cluster:sinkImage"
namespace = "apps"
deployment = "annotations-sink"
container = "sink"
"""
    )
    return path


def variables(box: Box) -> Mapping[str, str]:
    """What slipway.toml takes from the environment, and where the ledger is."""
    return {
        **places(box),
        "SANDBOX_REGISTRY_PASSWORD": image_registry.accounts(box)[PUBLISHER].password,
        "SANDBOX_PULUMI_TOKEN": pulumi.token(box, "slipway"),
        "SANDBOX_GITHUB_TOKEN": github.token(box),
    }


def places(box: Box) -> Mapping[str, str]:
    """Where slipway.toml and the ledger are: all that a process without credentials needs."""
    return {
        "SLIPWAY_CONFIG": str(box.folder() / "slipway.toml"),
        # The mirror of the example's repository shall not lie among the user's own.
        "XDG_STATE_HOME": str(box.folder("state")),
        "SLIPWAY_LEDGER_URL": f"sqlite:///{box.folder('ledger') / 'ledger.db'}",
    }


def _write_environment(box: Box, images: Mapping[str, str], puller: Account) -> None:
    base = f"{pulumi.backend(box)}/api/esc/environments/{pulumi.ORGANIZATION}"
    headers = {"Authorization": f"token {pulumi.token(box, 'operator')}"}
    definition = DEFINITION.format(
        organization=pulumi.ORGANIZATION,
        environment=ENVIRONMENT,
        adapter=images["adapter"],
        sink=images["sink"],
        host=image_registry.host(box),
        user=puller.username,
        password=puller.password,
    )
    with httpx.Client(headers=headers, timeout=10.0) as client:
        made = client.post(base, json={"project": "default", "name": ENVIRONMENT})
        if made.status_code != httpx.codes.CONFLICT:
            made.raise_for_status()
        client.patch(
            f"{base}/default/{ENVIRONMENT}",
            content=definition,
            headers={"Content-Type": "application/x-yaml"},
        ).raise_for_status()


def _apply(box: Box, commit: str) -> None:
    """`pulumi up` from a checkout, as a person would."""
    environment = {
        **os.environ,
        **pulumi.PulumiCloud().environment(box),
        "KUBECONFIG": str(kubernetes.kubeconfig(box)),
        "PATH": os.environ["PATH"],
    }
    with tempfile.TemporaryDirectory(prefix="slipway-example-") as folder:
        _run(["git", "clone", "--quiet", str(repository.path(box)), folder], environment)
        _run(["git", "-C", folder, "checkout", "--quiet", commit], environment)
        program = ["--cwd", f"{folder}/cluster", "--non-interactive"]
        cli = str(pulumi.command(box))
        _run([cli, *program, "stack", "select", "--create", STACK], environment)
        _run([cli, *program, "up", "--yes", "--skip-preview"], environment)


def _run(argv: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(argv, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise RuntimeError(f"{' '.join(argv[:6])} … failed:\n{shown}")

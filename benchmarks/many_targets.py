"""Many targets in one stack, each with a Deployment and an ESC key of its own, none with a pod."""

import json
from pathlib import Path

from benchmarks.samples import run
from benchmarks.world import World
from sandbox import pulumi

COUNT = 200
NAME = "many"
STACK = f"{pulumi.ORGANIZATION}/{NAME}/prod"
PROGRAM = "name: many\nruntime: yaml\nconfig:\n{keys}resources:\n{resources}"
DEPLOYMENT = """\
  web{number}:
    type: kubernetes:apps/v1:Deployment
    properties:
      metadata: {{name: web{number}, namespace: apps}}
      spec:
        replicas: 0
        selector: {{matchLabels: {{app: web{number}}}}}
        template:
          metadata: {{labels: {{app: web{number}}}}}
          spec:
            imagePullSecrets: [{{name: ghcr-creds}}]
            containers: [{{name: app, image: "${{image{number}}}"}}]
"""
TARGET = """
[targets.web{number}]
image = "{repository}"
folder = "adapter"
stack = "{stack}"
environment = "{organization}/default/{name}"
key = "{name}:image{number}"
program = "{name}"
namespace = "apps"
deployment = "web{number}"
container = "app"
moves_main = false
"""


class ManyTargets:
    """The stack, its environment, and a slipway.toml that names them all."""

    def __init__(self, world: World) -> None:
        self.world = world

    def prepare(self) -> Path:
        """Commit the program, write the environment, apply it; the configuration's path."""
        files = {f"{NAME}/Pulumi.yaml": _program(), f"{NAME}/Pulumi.prod.yaml": _stack_file()}
        (self.world.tree / NAME).mkdir(exist_ok=True)
        self.world.commit(files=files, docs=True)
        self._write_environment(self._deployed_image())
        by_hand = ["--cwd", str(self.world.tree / NAME), "--stack", STACK, "--non-interactive"]
        environment = self.world.environment
        run(["pulumi", *by_hand[:2], "stack", "init", STACK, "--non-interactive"], environment)
        run(["pulumi", "up", *by_hand, "--yes", "--skip-preview"], environment)
        return self._write_configuration()

    def _deployed_image(self) -> str:
        words = ["kubectl", "--namespace", "apps", "get", "deployment", "ls-triton-adapter"]
        path = "jsonpath={.spec.template.spec.containers[0].image}"
        return run([*words, "--output", path], self.world.environment).output.strip()

    def _write_environment(self, image: str) -> None:
        keys = "".join(f"    {NAME}:image{number}: {image}\n" for number in range(COUNT))
        self.world.make_environment(NAME, f"values:\n  pulumiConfig:\n{keys}")

    def _write_configuration(self) -> Path:
        places, _, _ = (self.world.box.root / "slipway.toml").read_text().partition("[targets.")
        targets = [
            TARGET.format(
                number=number,
                repository=self.world.repository,
                stack=STACK,
                organization=pulumi.ORGANIZATION,
                name=NAME,
            )
            for number in range(COUNT)
        ]
        path = self.world.box.folder("bench") / "many.toml"
        path.write_text(places + "".join(targets))
        return path


def findings_in(report: str) -> int:
    """How many findings a printed report has; every target must be in it, and seen whole."""
    # What was written to standard error may stand around it.
    content, _ = json.JSONDecoder().raw_decode(report[report.index("{") :])
    unseen = [each for each in content["targets"] if each["unknown"] or not each["image"]]
    if len(content["targets"]) != COUNT or unseen:
        seen = len(content["targets"]) - len(unseen)
        raise RuntimeError(f"{COUNT - seen} targets were not seen: {unseen[:2]}")
    return len(content["findings"])


def _program() -> bytes:
    keys = "".join(f"  image{number}: {{type: string}}\n" for number in range(COUNT))
    resources = "".join(DEPLOYMENT.format(number=number) for number in range(COUNT))
    return PROGRAM.format(keys=keys, resources=resources).encode()


def _stack_file() -> bytes:
    return f"environment:\n  - default/{NAME}\n".encode()

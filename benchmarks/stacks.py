"""Stacks of many targets, none of which has a pod: what the engine and we do, and no more."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.samples import Sample, Side, Stopwatch, run
from benchmarks.world import World
from sandbox import pulumi
from sandbox.containerd import PAUSE
from slipway.clients.pulumi import PulumiStack
from slipway.domain.commit import Commit
from slipway.domain.target import ConfigKey, Service, StackName, Target, Workload
from slipway.ports import ProgramRevision

PROGRAM = "name: growth\nruntime: yaml\nconfig:\n{keys}resources:\n{resources}"
KEY = "  image{number}: {{type: string}}\n"
DEPLOYMENT = """\
  web{number}:
    type: kubernetes:apps/v1:Deployment
    properties:
      metadata: {{name: web{number}-{unique}, namespace: default}}
      spec:
        replicas: 0
        selector: {{matchLabels: {{app: web{number}-{unique}}}}}
        template:
          metadata: {{labels: {{app: web{number}-{unique}}}}}
          spec: {{containers: [{{name: app, image: "${{image{number}}}"}}]}}
"""
COMMIT = Commit("c" * 40)


def target(size: int = 1, unique: str = "") -> Target:
    """The first target of a stack of this size; the others are like it."""
    name = f"n{size}{unique}"
    key = ConfigKey(pulumi.ORGANIZATION, "default", f"growth-{name}", "growth:image0")
    workload = Workload("default", "app", f"web0-{name}")
    stack = StackName(pulumi.ORGANIZATION, "growth", name)
    return Target(f"web-{name}", Service("web", "web", "growth/web"), key, stack, workload)


class Stacks:
    """One stack a size: each target has a Deployment and an ESC key, in one environment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.unique = os.urandom(3).hex()

    async def prepare(self, size: int) -> Mapping[str, Side]:
        """Make the stack with its targets, and a client of the first one."""
        made = target(size, self.unique)
        tree = self._program(made, size)
        self.world.make_environment(made.config_key.environment, _definition(size, PAUSE))
        by_hand = ["--cwd", str(tree / "cluster"), "--stack", str(made.stack), "--non-interactive"]
        environment = {**self.world.environment}
        run(
            ["pulumi", *by_hand[:2], "stack", "init", str(made.stack), "--non-interactive"],
            environment,
        )
        run(["pulumi", "up", *by_hand, "--yes", "--skip-preview"], environment)
        stack = PulumiStack(made, self.world.pulumi_cli())

        async def ours(number: int) -> Sample:
            revision = self._set(made, size, f"{PAUSE}-{number}-ours")
            program = ProgramRevision(tree, COMMIT, revision)
            watch = Stopwatch()
            await stack.state()
            await stack.preview(program)
            applied = await stack.up(program, f"bench {number}", asyncio.Event())
            if not applied.succeeded:
                raise RuntimeError(applied.why)
            return watch.sample()

        async def peer(number: int) -> Sample:
            self._set(made, size, f"{PAUSE}-{number}-peer")
            began = time.perf_counter()
            used = [
                run(["pulumi", "stack", "export", *by_hand], environment),
                run(["pulumi", "preview", *by_hand], environment),
                run(["pulumi", "up", *by_hand, "--yes", "--skip-preview"], environment),
            ]
            return Sample(time.perf_counter() - began, sum(e.sample.cpu or 0.0 for e in used))

        return {"ours": ours, "peer": peer}

    def _program(self, made: Target, size: int) -> Path:
        tree = self.world.box.folder("bench", made.name)
        program = tree / "cluster"
        program.mkdir(exist_ok=True)
        unique = made.stack.stack
        keys = "".join(KEY.format(number=number) for number in range(size))
        resources = "".join(DEPLOYMENT.format(number=n, unique=unique) for n in range(size))
        (program / "Pulumi.yaml").write_text(PROGRAM.format(keys=keys, resources=resources))
        stack_file = program / f"Pulumi.{made.stack.stack}.yaml"
        stack_file.write_text(f"environment:\n  - default/{made.config_key.environment}\n")
        return tree

    def _set(self, made: Target, size: int, image: str) -> int:
        return self.world.define(made.config_key.environment, _definition(size, image))


def _definition(size: int, image: str) -> str:
    """Every target's key; the first target's has this image."""
    others = "".join(f"    growth:image{number}: {PAUSE}\n" for number in range(1, size))
    return f"values:\n  pulumiConfig:\n    growth:image0: {image}\n{others}"

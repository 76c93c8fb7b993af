"""A small program on a real cluster, through the real pulumi CLI, in a stack of the stand-in."""

import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from sandbox import pulumi
from sandbox.containerd import PAUSE
from slipway.clients.esc import EscConfigStore
from slipway.clients.pulumi import PulumiStack
from slipway.clients.pulumi_api import PulumiApi
from slipway.clients.pulumi_cli import PulumiCli
from slipway.domain.commit import Commit
from slipway.domain.target import ConfigKey, Service, StackName, Target, Workload
from slipway.ports import ProgramRevision
from tests.sandbox.conftest import KubernetesBox

COMMIT = Commit("c" * 40)
GOOD, BETTER, ABSENT = PAUSE, "slipway.sandbox/pause:2", "slipway.sandbox/absent:1"

DEPLOYMENT = """\
  {name}:
    type: kubernetes:apps/v1:Deployment
    properties:
      metadata: {{name: {name}-{unique}, namespace: default}}
      spec:
        {replicas}
        selector: {{matchLabels: {{app: {name}-{unique}}}}}
        template:
          metadata: {{labels: {{app: {name}-{unique}}}}}
          spec:
            terminationGracePeriodSeconds: 1
            containers:
              - {{name: app, image: "${{{name}Image}}", imagePullPolicy: IfNotPresent}}
"""


@dataclass
class PulumiWorld:
    """One stack with two Deployments, `web` (ours) and `side` (somebody else's)."""

    cluster: KubernetesBox
    tree: Path
    unique: str

    @property
    def key(self) -> ConfigKey:
        return ConfigKey(pulumi.ORGANIZATION, "default", f"shop-{self.unique}", "shop:webImage")

    @property
    def name(self) -> StackName:
        return StackName(pulumi.ORGANIZATION, "shop", f"prod-{self.unique}")

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{self.name.stack}::shop::kubernetes:apps/v1:Deployment::web"

    @property
    def image_path(self) -> str:
        return "spec.template.spec.containers[0].image"

    def api(self, account: str = "slipway") -> PulumiApi:
        box = self.cluster.box
        return PulumiApi(pulumi.backend(box), SecretStr(pulumi.token(box, account)))

    def stack(self, account: str = "slipway", **changes: float) -> PulumiStack:
        box = self.cluster.box
        environment = {
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        cli = PulumiCli(self.api(account), str(pulumi.command(box)), pulumi.home(box), environment)
        return PulumiStack(self.target(**changes), cli)

    def target(self, apply_within: float = 120) -> Target:
        service = Service("web", "web", "slipway.sandbox/pause")
        workload = Workload("default", "app", f"web-{self.unique}")
        return Target("web-prod", service, self.key, self.name, workload, apply_within=apply_within)

    def at(self, revision: int, value: str | None = None, only: str = "") -> ProgramRevision:
        return ProgramRevision(self.tree, COMMIT, revision, value, only)

    async def pin(self, image: str) -> int:
        """Write our key as Slipway does; the revision."""
        async with self.api() as api:
            store = EscConfigStore(api)
            return (await store.write(await store.read(self.key), image)).revision

    async def define(self, text: str) -> int:
        """Somebody writes the whole environment; its revision."""
        async with self.api("operator") as api:
            path = f"/api/esc/environments/{self.key.environment_name}"
            answer = await api.send("PATCH", path, content=text)
            assert answer.good, answer.text
            return int(answer.headers["pulumi-esc-revision"])


def definition(web: str = GOOD, side: str = GOOD) -> str:
    """The environment, as people write it."""
    return (
        "values:\n  # what runs in production\n  pulumiConfig:\n"
        f"    shop:webImage: {web}   # ours\n    shop:sideImage: {side}\n"
    )


def make_world(cluster: KubernetesBox, folder: Path) -> PulumiWorld:
    """Program, environment and stack, as a person makes them once by hand."""
    world = PulumiWorld(cluster, folder, uuid.uuid4().hex[:6])
    program = folder / "cluster"
    program.mkdir()
    resources = [
        DEPLOYMENT.format(name=name, unique=world.unique, replicas=replicas)
        for name, replicas in (("web", "replicas: 1"), ("side", "# an autoscaler's to set"))
    ]
    (program / "Pulumi.yaml").write_text(
        "name: shop\nruntime: yaml\nconfig:\n  webImage: {type: string}\n"
        "  sideImage: {type: string}\nresources:\n" + "".join(resources)
    )
    stack_file = program / f"Pulumi.{world.name.stack}.yaml"
    stack_file.write_text(f"environment:\n  - default/{world.key.environment}\n")
    box = cluster.box
    headers = {"Authorization": f"token {pulumi.token(box, 'operator')}"}
    with httpx.Client(base_url=pulumi.backend(box), headers=headers) as http:
        environment = {"project": "default", "name": world.key.environment}
        http.post("/api/esc/environments/acme", json=environment).raise_for_status()
        path = f"/api/esc/environments/{world.key.environment_name}"
        http.patch(path, content=definition()).raise_for_status()
        stack = {"stackName": world.name.stack, "tags": {}}
        http.post("/api/stacks/acme/shop", json=stack).raise_for_status()
    return world


def tag_images(cluster: KubernetesBox) -> None:
    """A second name for the one image that every node has."""
    socket = str(cluster.box.socket("containerd.sock"))
    words = ["ctr", "--address", socket, "-n", "k8s.io", "images", "tag", "--force", GOOD, BETTER]
    subprocess.run(words, check=True, capture_output=True)


def running_image(world: PulumiWorld, name: str = "web") -> str:
    """What the cluster's Deployment asks for."""
    found = world.cluster.get("deployment", f"{name}-{world.unique}")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

"""The role of docs/kubernetes-role.yaml is what the client needs: all of it, and no more."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.clients.kubernetes import KubernetesCluster
from slipway.domain.target import Workload
from slipway.errors import AccessDenied
from tests.sandbox.conftest import KubernetesBox
from tests.sandbox.test_kubernetes_client import SERVE, deployment

pytestmark = [
    pytest.mark.sandbox,
    # The executor's idle threads keep urllib3's pool alive past the test's loop.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DOCS = Path(__file__).parents[2] / "docs"
MANIFEST = (
    (DOCS / "kubernetes-role.yaml").read_text().replace("namespace: apps", "namespace: default")
)
ROLES = list(yaml.safe_load_all(MANIFEST))
NAMED = Workload("default", "app", "by-role")
LABELLED = Workload("default", "app", labels=(("app", "by-role"),))


@pytest.fixture
async def client(cluster: KubernetesBox, tmp_path: Path) -> KubernetesCluster:
    """A client that is nobody but the service account of the manifest."""
    cluster.apply(*ROLES)
    cluster.apply(deployment("by-role", SERVE))
    idle = deployment("by-role-idle", SERVE)
    idle["spec"]["replicas"] = 0
    cluster.apply(idle)
    if "ghcr-creds" not in cluster.kubectl("get", "secrets", "-o", "name"):
        words = ("docker-registry", "ghcr-creds", "--docker-server=ghcr.io")
        cluster.kubectl("create", "secret", *words, "--docker-username=a", "--docker-password=b")
    token = cluster.kubectl("create", "token", "slipway").strip()
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    for each in kubeconfig["users"]:
        each["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    cluster.kubectl("rollout", "status", "deployment/by-role", "--timeout=60s")
    return KubernetesCluster(kubeconfig=str(path))


async def use_everything(client: KubernetesCluster) -> None:
    """What doctor, a deploy and a restart ask, in one go; anything that is denied is an error."""
    await client.check()
    seen, same = await client.observe(NAMED), await client.observe(LABELLED)
    assert seen is not None
    assert same is not None
    assert (seen.replica_sets, len(seen.pods)) == (same.replica_sets, 1)
    assert await client.observe(Workload("default", "app", "nowhere")) is None
    assert await client.nodes()
    [found] = await client.pull_secrets(replace(seen, pull_secrets=("ghcr-creds",)))
    assert found.credentials
    assert await client.pull_secrets(seen) == []
    pod = seen.pods[0].name
    assert (await client.health(NAMED, pod)).good
    assert (await client.evidence(seen, "app", pod)).log
    await client.restart(Workload("default", "app", "by-role-idle"))


async def fails_soon(client: KubernetesCluster) -> bool:
    """The API server learns of a changed role within moments."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 30
    while loop.time() < deadline:
        try:
            await use_everything(client)
        except (AccessDenied, AssertionError):
            return True
        await asyncio.sleep(0.2)
    return False


async def test_the_role_is_enough(client: KubernetesCluster) -> None:
    await use_everything(client)


async def test_the_role_lets_nobody_read_another_secret(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    cluster.kubectl("create", "secret", "generic", "somebody-elses", "--from-literal=a=b")
    seen = await client.observe(NAMED)
    assert seen is not None

    with pytest.raises(AccessDenied, match=r"kubernetes-role\.yaml"):
        await client.pull_secrets(replace(seen, pull_secrets=("somebody-elses",)))


async def test_nothing_of_the_role_can_be_left_out(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    needless = []
    for role in (each for each in ROLES if each["kind"] in {"Role", "ClusterRole"}):
        for poorer in without_each_verb(role):
            cluster.apply(poorer)
            if not await fails_soon(client):
                needless.append(poorer)
        cluster.apply(role)

    assert not needless


async def test_every_image_of_the_cluster_is_seen_with_the_prune_role_only(
    cluster: KubernetesBox, client: KubernetesCluster
) -> None:
    text = (DOCS / "kubernetes-prune-role.yaml").read_text()
    with pytest.raises(AccessDenied, match=r"kubernetes-prune-role\.yaml"):
        await client.images()

    cluster.apply(*yaml.safe_load_all(text.replace("namespace: apps", "namespace: default")))

    seen = await client.observe(NAMED)
    assert seen is not None
    images: frozenset[str] = frozenset()
    async with asyncio.timeout(30):
        while not images:
            with contextlib.suppress(AccessDenied):  # a new role is learned of within moments
                images = await client.images()
            await asyncio.sleep(0.2)
    assert seen.image in images
    assert {each.image_id for pod in seen.pods for each in pod.containers} <= images


def without_each_verb(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The role, each time with one verb on one resource less."""
    pairs = [
        (rule, resource, verb)
        for rule in role["rules"]
        for resource, verb in itertools.product(rule["resources"], rule["verbs"])
    ]
    for left_out in range(len(pairs)):
        kept = [
            {**rule, "resources": [resource], "verbs": [verb]}
            for number, (rule, resource, verb) in enumerate(pairs)
            if number != left_out
        ]
        yield {**role, "rules": kept}

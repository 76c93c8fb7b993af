"""Every image that anything in a cluster names: what pruning must leave."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from slipway.clients.gathering import gathered
from slipway.clients.kubernetes_objects import Object, images_in
from slipway.errors import AccessDenied, DeploymentUnfit

Get = Callable[[str], Awaitable[Object | None]]
WORKLOAD_LISTS = (
    "/api/v1/pods",
    "/api/v1/replicationcontrollers",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/batch/v1/jobs",
    "/apis/batch/v1/cronjobs",
    "/apis/apps/v1/controllerrevisions",
    "/api/v1/podtemplates",
)
"""Everything that names an image, in every namespace; revisions are what `kubectl rollout undo` of
StatefulSets and DaemonSets goes back to, as ReplicaSets are of Deployments."""
MOST_PARTS = 10_000


async def list_images(get: Get) -> frozenset[str]:
    """Those of all lists; an error of any of them, or of a part of one, is raised."""
    try:
        found = await gathered(_images_of(get, path) for path in WORKLOAD_LISTS)
    except AccessDenied as error:
        raise AccessDenied(
            f"not every image in use can be told ({error}): give the kubeconfig's user the "
            "role of docs/kubernetes-prune-role.yaml"
        ) from error
    return frozenset().union(*found)


async def _images_of(get: Get, path: str) -> frozenset[str]:
    """Those of a whole list; a server that gives it in parts is asked for all of them."""
    images: set[str] = set()
    more = ""
    for _ in range(MOST_PARTS):
        listed = await get(f"{path}?continue={quote(more, safe='')}" if more else path)
        if listed is None or not isinstance(listed.get("items"), list):
            raise DeploymentUnfit(
                f"the API server has no list {path}, so that not every image in use can be told: "
                "check that this is a Kubernetes of 1.21 or newer"
            )
        images.update(images_in(listed["items"]))
        more = str((listed.get("metadata") or {}).get("continue") or "")
        if not more:
            return frozenset(images)
    raise DeploymentUnfit(
        f"the list {path} has no end after {MOST_PARTS} parts, so that not every image in use can "
        "be told: check the API server"
    )

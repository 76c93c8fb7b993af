"""Kubernetes, through the official client: reads that are quick, and one write, a restart.

The client blocks, so every call runs as an executor's future, with a timeout of its own for
connecting and for reading: a half-open connection can't hold a release.
"""

import asyncio
import contextvars
import functools
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import SecretStr

from slipway.clients.kubernetes_images import list_images
from slipway.clients.kubernetes_nodes import read_node
from slipway.clients.kubernetes_objects import (
    Object,
    describe_pod,
    read_pull_secret,
    read_workloads,
)
from slipway.clients.kubernetes_restart import restart
from slipway.domain.redaction import redacted
from slipway.domain.scheduling import Node
from slipway.domain.target import Workload
from slipway.domain.workloads import Workloads
from slipway.errors import AccessDenied, DeploymentUnfit, InvalidInput, Unreachable
from slipway.ports import Evidence, Health, PullSecret

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

T = TypeVar("T")

log = logging.getLogger(__name__)

TIMEOUT = (3.0, 10.0)
"""Seconds to connect, and to read: the API server answers these small requests in milliseconds."""
EVENTS_SHOWN = 15
LOG_LINES = 50
NOT_FOUND, UNAUTHORIZED, FORBIDDEN = 404, 401, 403
_NO_LOG = "unable to retrieve container logs for "
"""What the kubelet writes into a log, with status 200, once it has removed the container."""
BUSY = frozenset({429, 500, 502, 503, 504})
_MAKING = threading.Lock()
"""The library names a certificate's temporary file before it has written it (`kube_config.py`)."""


class KubernetesCluster:
    """The `Cluster` port on one cluster."""

    def __init__(
        self, *, kubeconfig: str = "", kubeconfig_text: SecretStr | None = None, context: str = ""
    ) -> None:
        """By a kubeconfig's path, or by its text; the client is made at the first call."""
        self._kubeconfig = kubeconfig
        self._kubeconfig_text = kubeconfig_text
        self._context = context or None
        self._made: ApiClient | None = None

    async def check(self) -> None:
        """See `slipway.ports.Cluster`."""
        await self._get("/version", "the API server")

    async def observe(self, workload: Workload) -> Workloads | None:
        """See `slipway.ports.Cluster`."""
        deployment = await self._find(workload)
        if deployment is None:
            return None
        labels = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
        namespace = workload.namespace
        sets, pods = await asyncio.gather(
            self._list(f"/apis/apps/v1/namespaces/{namespace}/replicasets", labels),
            self._list(f"/api/v1/namespaces/{namespace}/pods", labels),
        )
        seen = read_workloads(deployment, sets, pods, workload.container)
        return replace(seen, seen_at=datetime.now(UTC))

    async def pull_secrets(self, workloads: Workloads) -> Sequence[PullSecret]:
        """See `slipway.ports.Cluster`; without any in the template, its service account's."""
        names = list(workloads.pull_secrets) or await self._account_secrets(workloads)
        return [
            read_pull_secret(
                name, await self._get(f"/api/v1/namespaces/{workloads.namespace}/secrets/{name}")
            )
            for name in names
        ]

    async def nodes(self) -> Sequence[Node]:
        """See `slipway.ports.Cluster`."""
        return [read_node(each) for each in await self._list("/api/v1/nodes", {})]

    async def images(self) -> frozenset[str]:
        """See `slipway.ports.Cluster`."""
        return await list_images(self._get)

    async def health(self, workload: Workload, pod: str) -> Health:
        """See `slipway.ports.Cluster`."""
        path = (
            f"/api/v1/namespaces/{workload.namespace}/pods/{pod}:{workload.port}/proxy"
            f"{workload.health_path}"
        )
        status, body = await self._ask("GET", path)
        if status in {UNAUTHORIZED, FORBIDDEN} and '"kind":"Status"' in body.replace(" ", ""):
            raise AccessDenied(
                f"the API server does not let us ask pod {pod}: {body[:200]}; give the user of the "
                "kubeconfig the role of docs/kubernetes-role.yaml"
            )
        return Health(status, redacted(body[:500]))

    async def evidence(self, workloads: Workloads, container: str, pod: str) -> Evidence:
        """See `slipway.ports.Cluster`."""
        shown = [each for each in workloads.pods if pod in {"", each.name}]
        lines = [describe_pod(each) for each in shown]
        restarts = {
            each.name: any(part.restarts for part in each.containers if part.name == container)
            for each in shown
        }
        events = await self._events(workloads.namespace, {each.name for each in shown})
        name = pod or next(iter(restarts), "")
        text = await self._log(workloads.namespace, name, container, last=restarts.get(name, False))
        return Evidence(tuple(map(redacted, lines)), tuple(events), tuple(text))

    async def restart(self, workload: Workload) -> None:
        """See `slipway.ports.Cluster`: the annotation that `kubectl rollout restart` writes."""
        deployment = await self._find(workload)
        if deployment is None:
            raise DeploymentUnfit(
                f"there is no {workload}: correct namespace and name of the target"
            )
        name = deployment["metadata"]["name"]
        path = f"/apis/apps/v1/namespaces/{workload.namespace}/deployments/{name}"
        status, body = await restart(self._ask, path, str(workload))
        _require_good(status, body, f"restart of {workload}")

    async def _find(self, workload: Workload) -> Object | None:
        folder = f"/apis/apps/v1/namespaces/{workload.namespace}"
        if workload.name:
            found = await self._get(f"{folder}/deployments/{workload.name}", str(workload))
            if found is None:
                await self._refuse_other_kinds(workload)
            return found
        matching = await self._list(f"{folder}/deployments", dict(workload.labels))
        if len(matching) > 1:
            names = ", ".join(each["metadata"]["name"] for each in matching)
            raise DeploymentUnfit(
                f"{workload} fits {len(matching)} Deployments ({names}): name one of them, or give "
                "labels that fit one"
            )
        if not matching:
            await self._refuse_other_kinds(workload)
        return matching[0] if matching else None

    async def _refuse_other_kinds(self, workload: Workload) -> None:
        for kind in ("StatefulSet", "DaemonSet"):
            path = f"/apis/apps/v1/namespaces/{workload.namespace}/{kind.lower()}s"
            found = await self._list(path, {} if workload.name else dict(workload.labels))
            for each in found:
                if not workload.name or each["metadata"]["name"] == workload.name:
                    raise DeploymentUnfit(
                        f"{kind} {workload.namespace}/{each['metadata']['name']} is no Deployment: "
                        "Slipway releases to Deployments only; name one in the target"
                    )

    async def _account_secrets(self, workloads: Workloads) -> list[str]:
        folder = f"/api/v1/namespaces/{workloads.namespace}/serviceaccounts"
        account = await self._get(f"{folder}/{workloads.service_account}")
        return [each["name"] for each in (account or {}).get("imagePullSecrets") or ()]

    async def _events(self, namespace: str, pods: set[str]) -> list[str]:
        events = await self._list(f"/api/v1/namespaces/{namespace}/events", {})
        ours = [each for each in events if each["involvedObject"].get("name") in pods]
        ours.sort(key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
        return [
            f"{each.get('type')} {each.get('reason')}: {redacted(each.get('message', ''))}"
            for each in ours[-EVENTS_SHOWN:]
        ]

    async def _log(self, namespace: str, pod: str, container: str, *, last: bool) -> list[str]:
        """The container's last lines; of the run that ended, when it was restarted."""
        if not pod:
            return []
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}"
        path += f"&tailLines={LOG_LINES}"
        for each in [f"{path}&previous=true", path] if last else [path]:
            status, body = await self._ask("GET", each)
            lines = [line for line in body.splitlines() if not line.startswith(_NO_LOG)]
            if status == HTTPStatus.OK and lines:
                return [redacted(line) for line in lines]
        return []

    async def _list(self, path: str, labels: Mapping[str, str]) -> list[Object]:
        selector = "%2C".join(f"{key}%3D{value}" for key, value in labels.items())
        found = await self._get(f"{path}?labelSelector={selector}" if selector else path)
        items: list[Object] = (found or {}).get("items") or []
        return items

    async def _get(self, path: str, what: str = "") -> Object | None:
        """One object, None when there is none."""
        status, body = await self._ask("GET", path)
        if status == NOT_FOUND:
            return None
        _require_good(status, body, what or path)
        found: Object = json.loads(body)
        return found

    async def _ask(self, method: str, path: str, body: Object | None = None) -> tuple[int, str]:
        """Status and body of one request; `Unreachable` when there is no answer."""
        return await _in_thread(functools.partial(self._ask_now, method, path, body))

    def _ask_now(self, method: str, path: str, body: Object | None) -> tuple[int, str]:
        import urllib3  # noqa: PLC0415 - the client and what it brings take 0.8 s to import

        client = self._client()
        headers = {"Accept": "application/json", **client.default_headers}
        client.update_params_for_auth(
            headers, [], ["BearerToken"], path, method, body, request_auth=None
        )
        if body is not None:
            headers["Content-Type"] = "application/strategic-merge-patch+json"
        try:
            answer = client.rest_client.pool_manager.request(
                method,
                f"{client.configuration.host}{path}",
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=TIMEOUT[0], read=TIMEOUT[1]),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(
                f"the API server at {client.configuration.host} does not answer: "
                f"{type(error).__name__}; check the cluster, the kubeconfig and the tunnel to it"
            ) from error
        return answer.status, answer.data.decode(errors="replace")

    def _client(self) -> "ApiClient":
        with _MAKING:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> "ApiClient":
        from kubernetes import config  # noqa: PLC0415 - 0.8 s

        try:
            if self._kubeconfig_text is not None:
                content = yaml.safe_load(self._kubeconfig_text.get_secret_value())
                made: ApiClient = config.new_client_from_config_dict(  # type: ignore[no-untyped-call] # its configuration module has no types
                    content, context=self._context
                )
            else:
                made = config.new_client_from_config(  # type: ignore[no-untyped-call] # likewise
                    self._kubeconfig or None, context=self._context
                )
        except (config.ConfigException, yaml.YAMLError, OSError) as error:
            where = "the kubeconfig that was given" if self._kubeconfig_text else self._kubeconfig
            raise InvalidInput(
                f"{where or '~/.kube/config'} can't be used (context {self._context or 'current'}):"
                f" {type(error).__name__}; check it with kubectl --kubeconfig"
            ) from error
        return made


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that keeps our context variables, so that its logs arrive."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, contextvars.copy_context().run, work)


def _require_good(status: int, body: str, what: str) -> None:
    if status < 300:  # noqa: PLR2004 - HTTP's own success class
        return
    said = _message(body)
    if status in {UNAUTHORIZED, FORBIDDEN}:
        raise AccessDenied(
            f"Kubernetes refuses {what} with {status}: {said}; give the kubeconfig's user "
            "the role of docs/kubernetes-role.yaml"
        )
    if status in BUSY:
        raise Unreachable(
            f"Kubernetes answers {status} to {what}: {said}; check the API server, and try again"
        )
    raise DeploymentUnfit(
        f"Kubernetes answers {status} to {what}: {said}; correct the target, or mend what it names"
    )


def _message(body: str) -> str:
    try:
        return str(json.loads(body).get("message", ""))[:300]
    except (ValueError, AttributeError):
        return body[:200]

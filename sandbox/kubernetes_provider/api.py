"""The cluster, as the provider changes it: server-side apply, and waiting for Deployments."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from sandbox.kubernetes_provider.kinds import Kind

MANAGER = "pulumi-kubernetes"
LOOK_EVERY = 0.25
DELETE_WITHIN = 120.0
NOT_FOUND, CONFLICT = 404, 409
Object = dict[str, Any]


class ApiError(Exception):
    """What the API server said no to."""


class InitFailed(Exception):
    """The object was changed, but has not become ready."""

    def __init__(self, live: Object, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.live = live
        self.reasons = reasons


class Cluster:
    """The API server of the kubeconfig; made at the first call."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._client: Any = None
        # The library names a certificate's temporary file before it has written it.
        self._making = threading.Lock()

    def apply(self, kind: Kind, wanted: Mapping[str, Any]) -> Object:
        """Server-side apply, never by force; a conflict names fields and managers."""
        meta = wanted["metadata"]
        path = kind.path(meta.get("namespace", "default"), meta["name"])
        query = f"?fieldManager={MANAGER}&force=false"
        status, body = self._ask("PATCH", path + query, wanted, "application/apply-patch+yaml")
        if status == CONFLICT:
            raise ApiError(f"Server-side apply field conflict detected: {body.get('message', '')}")
        return _good(status, body, f"{kind.name} {meta['name']}")

    def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The live object, None when there is none."""
        status, body = self._ask("GET", kind.path(namespace, name))
        return None if status == NOT_FOUND else _good(status, body, f"{kind.name} {name}")

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete, and wait until it is gone."""
        path = f"{kind.path(namespace, name)}?propagationPolicy=Foreground"
        status, body = self._ask("DELETE", path)
        if status == NOT_FOUND:
            return
        _good(status, body, f"{kind.name} {name}")
        deadline = time.monotonic() + DELETE_WITHIN
        while self.read(kind, namespace, name) is not None:
            if self.cancelled.wait(LOOK_EVERY) or time.monotonic() >= deadline:
                raise ApiError(f"{kind.name} {name} is still being deleted")

    def wait_until_ready(self, kind: Kind, live: Object, within: float) -> Object:
        """Wait for a Deployment's rollout; every other kind is ready at once."""
        if kind.name != "Deployment":
            return live
        meta = live["metadata"]
        deadline = time.monotonic() + within
        while not _rolled_out(live):
            if self.cancelled.wait(LOOK_EVERY):
                reason = f"Resource operation was cancelled for {meta['name']!r}"
                raise InitFailed(live, [reason, *_troubles(live)])
            if time.monotonic() >= deadline:
                reason = f"{meta['name']!r} timed out waiting to be Ready"
                raise InitFailed(live, [reason, *_troubles(live)])
            live = self.read(kind, meta["namespace"], meta["name"]) or live
        return live

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, content: str = ""
    ) -> tuple[int, Object]:
        import urllib3  # noqa: PLC0415 - the schema is served without any of this

        client = self._made()
        headers = {"Accept": "application/json", **client.default_headers}
        client.update_params_for_auth(
            headers, [], ["BearerToken"], path, method, body, request_auth=None
        )
        if content:
            headers["Content-Type"] = content
        try:
            answer = client.rest_client.pool_manager.request(
                method,
                f"{client.configuration.host}{path}",
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=5.0, read=15.0),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            host = client.configuration.host
            message = f"the API server at {host} is unreachable: {type(error).__name__}"
            raise ApiError(message) from error
        return answer.status, json.loads(answer.data or b"{}")

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                from kubernetes import config  # noqa: PLC0415 - 0.8 s

                self._client = config.new_client_from_config()  # type: ignore[no-untyped-call] # its configuration module has no types
            return self._client


def _good(status: int, body: Object, what: str) -> Object:
    if status >= 300:  # noqa: PLR2004 - HTTP's own success class
        raise ApiError(f"{what}: the API server answers {status}: {body.get('message', '')}")
    return body


def _rolled_out(live: Object) -> bool:
    """What Pulumi's await looks at: generation, Progressing, Available, updated replicas."""
    status, meta = live.get("status") or {}, live["metadata"]
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    progressing = conditions.get("Progressing", {})
    return bool(
        status.get("observedGeneration", 0) >= meta.get("generation", 0)
        and progressing.get("reason") == "NewReplicaSetAvailable"
        and conditions.get("Available", {}).get("status") == "True"
        and status.get("updatedReplicas", 0) >= live["spec"].get("replicas", 1)
    )


def _troubles(live: Object) -> list[str]:
    status = live.get("status") or {}
    return [
        f"[{each['type']}] {each.get('message', '')}"
        for each in status.get("conditions") or ()
        if each.get("status") == "False" or each.get("reason") == "ProgressDeadlineExceeded"
    ]

"""From the API's JSON objects to what the judge reads; nothing here asks anything.

Shapes are those of the Kubernetes API reference (apps/v1, core/v1); fields that the server leaves
out when they are zero or empty are read as such.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from slipway.clients.kubernetes_nodes import read_placement
from slipway.domain.image import named_commits, named_digests
from slipway.domain.workloads import Container, Pod, ReplicaSet, Workloads
from slipway.ports import PullCredentials, PullSecret

Object = Mapping[str, Any]
REVISION = "deployment.kubernetes.io/revision"
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"


def read_workloads(
    deployment: Object, replica_sets: Iterable[Object], pods: Iterable[Object], container: str
) -> Workloads:
    """A Deployment with those of the ReplicaSets and pods that belong to it."""
    owned = [each for each in replica_sets if _is_owned_by(each, deployment)]
    names = {_name(each): each for each in owned}
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    image, replicas = _field_path(container, "image"), ("f:spec", "f:replicas")
    return Workloads(
        _name(deployment),
        _meta(deployment).get("namespace", ""),
        template_image(deployment, container),
        int(_meta(deployment).get("generation", 0)),
        int(status.get("observedGeneration", 0)),
        int(spec.get("replicas", 1)),
        int(status.get("updatedReplicas", 0)),
        _revision(deployment),
        paused=bool(spec.get("paused", False)),
        deadline_exceeded=_is_progressing(status, "ProgressDeadlineExceeded"),
        rolled_out=_is_progressing(status, "NewReplicaSetAvailable"),
        pull_secrets=tuple(
            each["name"] for each in _template(deployment).get("imagePullSecrets") or ()
        ),
        service_account=_service_account(_template(deployment)),
        image_managers=field_managers(deployment, image),
        replicas_managers=field_managers(deployment, replicas),
        owner_places=owner_places(deployment, image, replicas),
        replica_sets=tuple(read_replica_set(each, container) for each in owned),
        pods=tuple(
            read_pod(pod, owner)
            for pod in pods
            for owner in names
            if _is_owned_by(pod, names[owner])
        ),
        pull_policy=_of_container(deployment, container, "imagePullPolicy"),
        pull_policy_managers=field_managers(deployment, _field_path(container, "imagePullPolicy")),
        placement=read_placement(_template(deployment)),
    )


def read_replica_set(raw: Object, container: str) -> ReplicaSet:
    """One ReplicaSet, with why it can't make its pods if it says so."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    failure = next(
        (
            each.get("message", "")
            for each in conditions
            if each.get("type") == "ReplicaFailure" and each.get("status") == "True"
        ),
        "",
    )
    return ReplicaSet(_name(raw), _revision(raw), template_image(raw, container), failure)


def read_pod(raw: Object, replica_set: str) -> Pod:
    """One pod with its containers, init containers first."""
    status = raw.get("status") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled", {})
    statuses = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    return Pod(
        _name(raw),
        replica_set,
        ready=conditions.get("Ready", {}).get("status") == "True",
        terminating=bool(_meta(raw).get("deletionTimestamp")),
        phase=status.get("phase", ""),
        containers=tuple(read_container(each) for each in statuses),
        unschedulable=scheduled.get("message", "")
        if scheduled.get("reason") == "Unschedulable"
        else "",
        changed=_changed(raw),
    )


def _changed(raw: Object) -> datetime | None:
    """When the pod was made, or the newest of its conditions took its status."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    told = [each.get("lastTransitionTime") for each in conditions]
    moments = map(_moment, (_meta(raw).get("creationTimestamp"), *told))
    return max((each for each in moments if each is not None), default=None)


def read_container(raw: Object) -> Container:
    """One container's state; how it ended is taken from now, else from the last time."""
    state, last = raw.get("state") or {}, raw.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    return Container(
        raw.get("name", ""),
        ready=bool(raw.get("ready", False)),
        restarts=int(raw.get("restartCount", 0)),
        image_id=raw.get("imageID", ""),
        waiting=waiting.get("reason", "") if waiting else "",
        waiting_message=waiting.get("message", ""),
        terminated=ended.get("reason", ""),
        exit_code=ended.get("exitCode"),
        run_began=_moment(ended.get("startedAt")),
        done=bool(raw.get("ready") and state.get("terminated")),
    )


def describe_pod(pod: Pod) -> str:
    """One line for people: each container with why it waits, and how it has ended."""
    parts = [f"{pod.name}: {pod.phase}", *(_describe_container(each) for each in pod.containers)]
    return "; ".join([*parts, pod.unschedulable] if pod.unschedulable else parts)


def _describe_container(container: Container) -> str:
    message = f" ({container.waiting_message})" if container.waiting_message else ""
    ended = f"{container.terminated}, exit code {container.exit_code}"
    told = [
        f"{container.waiting}{message}" if container.waiting else "",
        f"last ended by {ended}" if container.terminated else "",
        "" if container.waiting or container.terminated else "running",
        "ready" if container.ready else "not ready",
        f"{container.restarts} restarts",
    ]
    return f"{container.name} {', '.join(each for each in told if each)}"


def images_in(raw: Any) -> Iterator[str]:
    """Every image reference and image id anywhere in an object.

    Also what names a digest or a commit's tag elsewhere: in a volume, a variable, an argument.
    """
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            if key in {"image", "imageID"} and isinstance(value, str) and value:
                yield value
            else:
                yield from images_in(value)
    elif isinstance(raw, list):
        for each in raw:
            yield from images_in(each)
    elif isinstance(raw, str) and (named_digests(raw) or named_commits(raw)):
        yield raw


def template_image(raw: Object, container: str) -> str:
    """The image that a pod template asks for in this container; empty when it has none."""
    return _of_container(raw, container, "image")


def _of_container(raw: Object, container: str, name: str) -> str:
    containers = _template(raw).get("containers") or ()
    return next((str(each.get(name, "")) for each in containers if each["name"] == container), "")


def field_managers(raw: Object, path: Sequence[str]) -> tuple[str, ...]:
    """The managers that own a field (metadata.managedFields), status writers left out."""
    return tuple(dict.fromkeys(manager for _, manager in owner_places(raw, path)))


def owner_places(raw: Object, *paths: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Where in metadata.managedFields any of the fields is owned, and by which manager."""
    return tuple(
        (place, str(entry.get("manager", "")))
        for place, entry in enumerate(_meta(raw).get("managedFields") or ())
        if entry.get("subresource") != "status"
        and any(_owns(entry.get("fieldsV1") or {}, each) for each in paths)
    )


def read_pull_secret(name: str, raw: Object | None) -> PullSecret:
    """A pull secret's credentials by host; a problem is told without any of its content."""
    if raw is None:
        return PullSecret(name, exists=False)
    if raw.get("type") != DOCKER_CONFIG:
        problem = f"it is of type {raw.get('type')}, not {DOCKER_CONFIG}"
        return PullSecret(name, exists=True, problem=problem)
    try:
        content = json.loads(base64.b64decode((raw.get("data") or {})[".dockerconfigjson"]))
        auths = dict(content["auths"])
        credentials = tuple(_credentials(host, entry) for host, entry in auths.items())
    except (KeyError, TypeError, ValueError, AttributeError):
        problem = "its .dockerconfigjson can't be read"
        return PullSecret(name, exists=True, problem=problem)
    return PullSecret(name, exists=True, credentials=credentials)


def _credentials(host: str, entry: Object) -> PullCredentials:
    """The keys are `ghcr.io`, `https://ghcr.io` or `https://ghcr.io/v1/`; docker writes each."""
    bare = host.partition("://")[2] or host
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if entry.get("auth"):
        try:
            user, _, password = (
                base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError(host) from error
    return PullCredentials(bare.partition("/")[0], user, SecretStr(password))


def _owns(fields: Object, path: Sequence[str]) -> bool:
    here: Any = fields
    for step in path:
        if not isinstance(here, Mapping):
            return False
        here = here.get(step, _by_name(here, step))
        if here is None:
            return False
    return True


def _by_name(fields: Object, step: str) -> Any:
    """A list's entry by its key, whatever else the key holds: `k:{"name":"adapter"}`."""
    if not step.startswith("k:"):
        return None
    wanted = json.loads(step[2:])
    for key, value in fields.items():
        if key.startswith("k:") and wanted.items() <= json.loads(key[2:]).items():
            return value
    return None


def _field_path(container: str, name: str) -> tuple[str, ...]:
    entry = "k:" + json.dumps({"name": container}, separators=(",", ":"))
    return ("f:spec", "f:template", "f:spec", "f:containers", entry, f"f:{name}")


def _moment(text: str | None) -> datetime | None:
    """A time of the API (RFC 3339); a container that never began has none, or the year 1."""
    return datetime.fromisoformat(text) if text else None


def _is_progressing(status: Object, reason: str) -> bool:
    return any(
        each.get("type") == "Progressing" and each.get("reason") == reason
        for each in status.get("conditions") or ()
    )


def _template(raw: Object) -> Object:
    template: Object = ((raw.get("spec") or {}).get("template") or {}).get("spec") or {}
    return template


def _service_account(template: Object) -> str:
    """Under its name, under the older one that still works (`serviceAccount`), or the default."""
    named = template.get("serviceAccountName") or template.get("serviceAccount")
    return str(named or "default")


def _is_owned_by(raw: Object, owner: Object) -> bool:
    uid = _meta(owner).get("uid")
    return any(each.get("uid") == uid for each in _meta(raw).get("ownerReferences") or ())


def _revision(raw: Object) -> int:
    text = (_meta(raw).get("annotations") or {}).get(REVISION, "0")
    return int(text) if str(text).isdigit() else 0


def _meta(raw: Object) -> Object:
    meta: Object = raw.get("metadata") or {}
    return meta


def _name(raw: Object) -> str:
    return str(_meta(raw).get("name", ""))

"""One restart of pods, made once: after a lost answer it is looked up whether it has arrived."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus

from slipway.clients.kubernetes_objects import Object
from slipway.errors import Unproven, Unreachable

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
ARRIVES_WITHIN = 15.0
"""Seconds after a lost answer in which the API server may still do what it was asked to do."""
LOOK_EVERY = 1.0
Ask = Callable[[str, str, Object | None], Awaitable[tuple[int, str]]]
"""Method, path, body → status, body; `Unreachable` when there is no answer."""


async def restart(ask: Ask, path: str, what: str) -> tuple[int, str]:
    """Write the annotation that `kubectl rollout restart` writes; the API server's answer.

    `Unreachable` when it is sure that nothing was restarted, `Unproven` when nobody can tell.
    """
    now = datetime.now(UTC).isoformat()
    annotated = {"metadata": {"annotations": {RESTARTED_AT: now}}}
    change = {"spec": {"template": annotated}}
    try:
        return await ask("PATCH", f"{path}?fieldManager=kubectl-rollout", change)
    except Unreachable as lost:
        if await _arrived(ask, path, now, f"whether {what} was restarted is not known ({lost})"):
            return HTTPStatus.OK, ""
        raise Unreachable(
            f"{what} was not restarted, its answer was lost on the way ({lost}): try again"
        ) from lost


async def _arrived(ask: Ask, path: str, now: str, not_known: str) -> bool:
    loop = asyncio.get_running_loop()
    until = loop.time() + ARRIVES_WITHIN
    while True:
        seen = await _restarted_at(ask, path)
        if seen == now:
            return True
        if loop.time() >= until:
            break
        await asyncio.sleep(LOOK_EVERY)
    if seen is None:
        raise Unproven(
            f"{not_known}, and could not be looked up within {ARRIVES_WITHIN:g} s: look with "
            "slipway status when the cluster answers"
        )
    return False


async def _restarted_at(ask: Ask, path: str) -> str | None:
    """When the pods were restarted last, by the template; None when it could not be read."""
    try:
        status, body = await ask("GET", path, None)
    except Unreachable:
        return None
    if status != HTTPStatus.OK:
        return None
    metadata = json.loads(body)["spec"]["template"].get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(RESTARTED_AT, ""))

"""One update from its creation to its end, as the CLI drives it."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.cloud import cloud_of
from sandbox.pulumi_cloud.errors import not_found
from sandbox.pulumi_cloud.requests import json_object, path_name
from sandbox.pulumi_cloud.stack_routes import DONE, STACK
from sandbox.pulumi_cloud.updates import FINAL, LEASE_SECONDS

# The CLI creates updates under their kind and drives all of them under `update`.
UPDATE = STACK + "/update/{update}"
KINDS = ("preview", "update", "refresh", "destroy")


async def create(request: Request) -> Response:
    """Announce an update; nothing is locked yet."""
    cloud = cloud_of(request)
    account = cloud.caller(request)
    program = await json_object(request)
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise not_found(f"there are no updates of kind '{kind}'; use one of {KINDS}")
    record = cloud.updates.create(cloud.stack(request), kind, program, account.login)
    return JSONResponse({"updateID": record["id"]})


async def start(request: Request) -> Response:
    """Take the stack's lease. Journal version 0 asks for whole checkpoints."""
    cloud = cloud_of(request)
    cloud.caller(request)
    wanted = await json_object(request)
    stack = cloud.stack(request)
    record = cloud.updates.start(stack, path_name(request, "update"), wanted.get("tags"))
    return JSONResponse(
        {
            "version": record["version"],
            "token": record["token"],
            "tokenExpiration": int(record["expires"]),
            "journalVersion": 0,
        }
    )


async def status(request: Request) -> Response:
    """How an update is doing; its output is not kept."""
    cloud = cloud_of(request)
    stack = cloud.stack(request)
    cloud.updates.active(stack)
    record = cloud.updates.get(stack, path_name(request, "update"))
    answer = {"status": record["status"], "events": []}
    return JSONResponse(answer | ({} if record["status"] in FINAL else {"continuationToken": "0"}))


async def checkpoint(request: Request) -> Response:
    """The whole state as it is now; it stays whatever happens to the update afterwards."""
    state = await json_object(request)
    stack, record = cloud_of(request).held_update(request)
    if not record["preview"] and not state.get("isInvalid"):
        kept = {key: state[key] for key in ("version", "features", "deployment") if state.get(key)}
        stack.keep_deployment(record["version"], kept)
    return Response(status_code=DONE)


async def events(request: Request) -> Response:
    """The engine's events."""
    batch = await json_object(request)
    cloud = cloud_of(request)
    stack, record = cloud.held_update(request)
    cloud.updates.note_events(stack, record, batch.get("events") or [])
    return JSONResponse({})


async def renew_lease(request: Request) -> Response:
    """Hold the stack longer, under the same token."""
    wanted = await json_object(request)
    cloud = cloud_of(request)
    stack, record = cloud.held_update(request)
    record = cloud.updates.renew(stack, record, int(wanted.get("duration") or LEASE_SECONDS))
    return JSONResponse({"token": record["token"], "tokenExpiration": int(record["expires"])})


async def complete(request: Request) -> Response:
    """The CLI says how it ended; saying it again, as after a lost answer, is accepted."""
    outcome = (await json_object(request)).get("status")
    cloud = cloud_of(request)
    stack = cloud.stack_of_path(request)
    record = cloud.updates.get(stack, path_name(request, "update"))
    shown = request.headers.get("authorization", "")
    if record["status"] != outcome or shown != f"update-token {record.get('token')}":
        stack, record = cloud.held_update(request)
        cloud.updates.end(stack, record, str(outcome))
    return Response(status_code=DONE)


async def cancel(request: Request) -> Response:
    """Somebody takes the lease away; the CLI that held it learns it at its next call."""
    cloud = cloud_of(request)
    stack = cloud.stack(request)
    cloud.updates.active(stack)
    cloud.updates.end(stack, cloud.updates.get(stack, path_name(request, "update")), "cancelled")
    return Response(status_code=DONE)


ROUTES = [
    Route(UPDATE, start, methods=["POST"]),
    Route(UPDATE, status, methods=["GET"]),
    Route(UPDATE + "/checkpoint", checkpoint, methods=["PATCH"]),
    Route(UPDATE + "/events/batch", events, methods=["POST"]),
    Route(UPDATE + "/renew_lease", renew_lease, methods=["POST"]),
    Route(UPDATE + "/complete", complete, methods=["POST"]),
    Route(UPDATE + "/cancel", cancel, methods=["POST"]),
    # Last: every other name of the same shape has its own route.
    Route(STACK + "/{kind}", create, methods=["POST"]),
]

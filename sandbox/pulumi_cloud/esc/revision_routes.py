"""Revisions of an environment: history, tags, retraction."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.errors import bad_request, conflict, not_found
from sandbox.pulumi_cloud.esc.environments import LATEST, Environment
from sandbox.pulumi_cloud.esc.retraction import retract
from sandbox.pulumi_cloud.esc.routes import DONE, ENVIRONMENT, environment_of
from sandbox.pulumi_cloud.requests import json_object, number, path_name, safe_name

VERSIONS = ENVIRONMENT + "/versions"
TAGS = VERSIONS + "/tags"


async def versions(request: Request) -> Response:
    """The revisions, newest first."""
    _, environment, _ = environment_of(request)
    before = number(request.query_params.get("before"), 0, "before")
    count = number(request.query_params.get("count"), 0, "count")
    return JSONResponse(environment.history(before, count))


async def tags(request: Request) -> Response:
    """GET: all tags; POST: a new one."""
    wanted = await json_object(request) if request.method == "POST" else {}
    _, environment, login = environment_of(request)
    known = environment.record()["tags"]
    if request.method == "GET":
        # The CLI asks page by page until one is empty: `after` is the last name it has.
        after = request.query_params.get("after", "")
        count = number(request.query_params.get("count"), 0, "count") or len(known)
        names = [name for name in sorted(known) if name > after][:count]
        return JSONResponse({"tags": [_described(name, known[name]) for name in names]})
    name = safe_name(wanted.get("name"), "tag")
    if name[0].isdigit():
        raise bad_request(f"tag '{name}' looks like a revision; start it with a letter")
    if name in known:
        raise conflict(f"tag '{name}' already exists")
    environment.tag(name, _revision(environment, wanted), login)
    return Response(status_code=DONE)


async def one_tag(request: Request) -> Response:
    """GET: which revision a tag names; PATCH: move it; DELETE: forget it."""
    wanted = await json_object(request) if request.method == "PATCH" else {}
    _, environment, login = environment_of(request)
    name = path_name(request, "tag")
    record = environment.record()
    if name not in record["tags"]:
        raise not_found(f"tag '{name}' of '{environment.label()}' not found")
    if request.method == "GET":
        return JSONResponse(_described(name, record["tags"][name]))
    if name == LATEST:
        raise bad_request("the tag 'latest' moves by itself")
    if request.method == "PATCH":
        environment.tag(name, _revision(environment, wanted), login)
    else:
        del record["tags"][name]
        environment.save(record)
    return Response(status_code=DONE)


async def retraction(request: Request) -> Response:
    """Make a revision unreadable."""
    wanted = await json_object(request)
    _, environment, login = environment_of(request)
    reason = str(wanted.get("reason") or "")
    retract(environment, request.path_params["version"], wanted.get("replacement"), reason, login)
    return Response(status_code=DONE)


def _revision(environment: Environment, wanted: dict[str, Any]) -> int:
    """The revision that a tag shall name; without one, the latest."""
    return environment.resolve(str(wanted.get("revision") or LATEST))


def _described(name: str, tag: dict[str, Any]) -> dict[str, Any]:
    """A tag as clients read it."""
    return {
        "name": name,
        "revision": tag["revision"],
        "created": tag["created"],
        "modified": tag["modified"],
        "editorLogin": tag["login"],
        "editorName": tag["login"],
    }


ROUTES = [
    Route(VERSIONS, versions),
    Route(TAGS, tags, methods=["GET", "POST"]),
    Route(TAGS + "/{tag}", one_tag, methods=["GET", "PATCH", "DELETE"]),
    Route(VERSIONS + "/{version}/retract", retraction, methods=["POST"]),
]

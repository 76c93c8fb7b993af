"""Environments: make, read, update, check, open."""

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.cloud import Cloud, cloud_of
from sandbox.pulumi_cloud.errors import bad_request
from sandbox.pulumi_cloud.esc.environments import (
    LATEST,
    Environment,
    Revision,
    require_match,
)
from sandbox.pulumi_cloud.esc.interpolation import split_path
from sandbox.pulumi_cloud.esc.service import Subject
from sandbox.pulumi_cloud.esc.sessions import seconds_of
from sandbox.pulumi_cloud.requests import body, json_object, path_name

ALL = "/api/esc/environments"
ORG = ALL + "/{org}"
ENVIRONMENT = ORG + "/{project}/{environment}"
VERSION = ENVIRONMENT + "/versions/{version}"
DONE = 204


def environment_of(request: Request) -> tuple[Cloud, Environment, str]:
    """The environment of the path, and the login of a caller who may do this."""
    cloud = cloud_of(request)
    login = cloud.caller(request).login
    names = (path_name(request, key) for key in ("org", "project", "environment"))
    return cloud, cloud.esc.environments.get(*names), login


async def list_environments(request: Request) -> Response:
    """GET: all environments; POST: make one."""
    cloud = cloud_of(request)
    account = cloud.accounts.authenticate(request)
    if "org" in request.path_params:
        account = cloud.caller(request)
    if request.method == "POST":
        wanted = await json_object(request)
        cloud.esc.environments.create(account.organization, wanted, account.login)
        return JSONResponse({})
    found = [
        {"organization": each.organization, "project": each.project, "name": each.name}
        for each in cloud.esc.environments.all(account.organization)
    ]
    return JSONResponse({"environments": found})


async def one_environment(request: Request) -> Response:
    """HEAD and GET: the definition; PATCH: all of it anew; DELETE: forget it."""
    definition = await body(request)
    cloud, environment, login = environment_of(request)
    if request.method == "PATCH":
        headers = request.headers
        require_match(environment, [headers.get("etag"), headers.get("if-match")])
        revision = cloud.esc.update(environment, definition, login)
        return JSONResponse({}, headers=_headers(revision))
    if request.method == "DELETE":
        cloud.esc.environments.delete(environment)
        return Response(status_code=DONE)
    return _definition(environment.revision())


async def one_version(request: Request) -> Response:
    """The definition as a revision or a tag has it."""
    _, environment, _ = environment_of(request)
    return _definition(environment.revision(request.path_params["version"]))


async def decrypt(request: Request) -> Response:
    """A definition with its secrets in plain text."""
    cloud, environment, _ = environment_of(request)
    revision = environment.revision(_version(request))
    return _definition(revision, cloud.esc.decrypted(environment, revision))


async def check(request: Request) -> Response:
    """What the posted or stored definition says, or the complaints about it."""
    posted = await body(request)
    cloud = cloud_of(request)
    if "environment" in request.path_params:
        _, environment, _ = environment_of(request)
        subject = _stored(request, environment)
    else:
        subject = Subject(cloud.caller(request).organization, posted)
    show = request.query_params.get("showSecrets") == "true"
    return JSONResponse(cloud.esc.check(subject, show_secrets=show))


async def open_environment(request: Request) -> Response:
    """Evaluate a stored environment and keep the result for a while."""
    cloud, environment, _ = environment_of(request)
    seconds = seconds_of(request.query_params.get("duration"))
    return JSONResponse({"id": cloud.esc.open(_stored(request, environment), seconds)})


async def open_posted(request: Request) -> Response:
    """Evaluate what is posted: what `pulumi up` does with a stack's `environment:`."""
    definition = await body(request)
    cloud = cloud_of(request)
    organization = cloud.caller(request).organization
    overrides = _overrides(request.query_params.get("environmentOverrides"))
    subject = Subject(organization, definition, overrides=overrides)
    seconds = seconds_of(request.query_params.get("duration"))
    return JSONResponse({"id": cloud.esc.open(subject, seconds)})


async def session(request: Request) -> Response:
    """What an opened environment evaluated to, all of it or one property."""
    cloud = cloud_of(request)
    cloud.caller(request)
    opened = cloud.esc.sessions.get(request.path_params["session"])
    path = request.query_params.get("property")
    return JSONResponse(_property(opened["properties"], path) if path else opened)


async def metadata(request: Request) -> Response:
    """What the caller may do; nothing is gated here."""
    cloud, environment, _ = environment_of(request)
    role = cloud.caller(request).role
    return JSONResponse(
        {
            "id": environment.record()["id"],
            "effectivePermission": role,
            "gatedActions": [],
            "openRequestNeeded": False,
        }
    )


async def settings(request: Request) -> Response:
    """Nothing is protected from deletion."""
    environment_of(request)
    return JSONResponse({"deletionProtected": False})


def _definition(revision: Revision, text: bytes | None = None) -> Response:
    """A definition with the headers that name its revision."""
    content = revision.definition if text is None else text
    return Response(content, media_type="application/x-yaml", headers=_headers(revision))


def _headers(revision: Revision) -> dict[str, str]:
    """How a client refers to what it read or wrote."""
    return {"ETag": revision.etag, "Pulumi-ESC-Revision": str(revision.number)}


def _version(request: Request) -> str:
    """The version of the path, or the latest."""
    return str(request.path_params.get("version", LATEST))


def _stored(request: Request, environment: Environment) -> Subject:
    """A stored definition to evaluate."""
    definition = environment.revision(_version(request)).definition
    return Subject(environment.organization, definition, environment)


def _overrides(encoded: str | None) -> dict[str, str]:
    """Which imports are read at which revision instead: base64url of a JSON object."""
    if not encoded:
        return {}
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        overrides = json.loads(base64.urlsafe_b64decode(padded))
        return {str(name): str(reference) for name, reference in overrides.items()}
    except (binascii.Error, ValueError, AttributeError) as error:
        raise bad_request(f"environmentOverrides cannot be read: {error}") from error


def _property(properties: dict[str, Any], path: str) -> dict[str, Any]:
    """One value of an opened environment."""
    found: Any = {"value": properties}
    try:
        for accessor in split_path(path):
            found = found["value"][accessor]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise bad_request(f"the environment has no property '{path}'") from error
    answer: dict[str, Any] = found
    return answer


ROUTES = [
    Route(ALL, list_environments),
    Route(ORG, list_environments, methods=["GET", "POST"]),
    Route(ORG + "/yaml/check", check, methods=["POST"]),
    Route(ORG + "/yaml/open", open_posted, methods=["POST"]),
    Route(ORG + "/yaml/open/{session}", session),
    Route(ENVIRONMENT, one_environment, methods=["GET", "HEAD", "PATCH", "DELETE"]),
    Route(ENVIRONMENT + "/decrypt", decrypt),
    Route(ENVIRONMENT + "/check", check, methods=["POST"]),
    Route(ENVIRONMENT + "/open", open_environment, methods=["POST"]),
    Route(ENVIRONMENT + "/open/{session}", session),
    Route(ENVIRONMENT + "/metadata", metadata),
    Route(ENVIRONMENT + "/settings", settings),
    Route(VERSION, one_version),
    Route(VERSION + "/decrypt", decrypt),
    Route(VERSION + "/check", check, methods=["POST"]),
    Route(VERSION + "/open", open_environment, methods=["POST"]),
    Route(VERSION + "/open/{session}", session),
]

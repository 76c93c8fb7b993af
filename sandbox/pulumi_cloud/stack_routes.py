"""Stacks: make, look, tag, export, import, encrypt, history, delete."""

import base64
import binascii
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.cloud import Cloud, cloud_of
from sandbox.pulumi_cloud.errors import bad_request, not_found
from sandbox.pulumi_cloud.requests import json_object, number, path_name
from sandbox.pulumi_cloud.stacks import Stack

PROJECT = "/api/stacks/{org}/{project}"
STACK = PROJECT + "/{stack}"
DONE = 204
TAG_NAME = re.compile(r"[a-zA-Z0-9-_.:]{1,40}")
LONGEST_TAG_VALUE = 256


async def project(request: Request) -> Response:
    """HEAD: does the project exist; POST: make a stack in it."""
    cloud = cloud_of(request)
    account = cloud.caller(request)
    name = path_name(request, "project")
    if request.method == "POST":
        cloud.stacks.create(account.organization, name, await json_object(request))
        return JSONResponse({})
    if not cloud.stacks.project_exists(account.organization, name):
        raise not_found(f"project '{name}' not found")
    return Response(status_code=200)


async def one_stack(request: Request) -> Response:
    """GET: what the stack is and who changes it now; DELETE: forget it."""
    cloud = cloud_of(request)
    stack = cloud.stack(request)
    active = cloud.updates.active(stack)
    if request.method == "DELETE":
        cloud.stacks.delete(stack, force=request.query_params.get("force") == "true")
        return Response(status_code=DONE)
    record = stack.record()
    answer = {
        "id": record["id"],
        "orgName": stack.organization,
        "projectName": stack.project,
        "stackName": stack.name,
        "tags": record["tags"],
        "version": record["version"],
        # The newest for ever, also once it has ended; `currentOperation` tells whether it goes on.
        "activeUpdate": record.get("newest", ""),
    }
    if active:
        operation = {"kind": active["kind"], "author": active["login"], "started": active["start"]}
        answer["currentOperation"] = operation
    return JSONResponse(answer)


async def tags(request: Request) -> Response:
    """PATCH: replace all tags; POST: add one that is not there yet."""
    stack = cloud_of(request).stack(request)
    wanted = await json_object(request)
    record = stack.record()
    if request.method == "POST":
        name, value = _tag(wanted)
        if name in record["tags"]:
            raise bad_request(f"tag {name!r} already exists")
        wanted = record["tags"] | {name: value}
    stack.save(record | {"tags": wanted})
    return Response(status_code=DONE)


async def one_tag(request: Request) -> Response:
    """PATCH: another value for a tag; DELETE: remove it."""
    stack, name = cloud_of(request).stack(request), request.path_params["name"]
    wanted = await json_object(request) if request.method == "PATCH" else None
    # Read after the last wait: an update that starts meanwhile must not be written over.
    record = stack.record()
    if name not in record["tags"]:
        raise not_found(f"tag {name!r} does not exist")
    kept = {each: value for each, value in record["tags"].items() if each != name}
    if wanted is not None:
        _, kept[name] = _tag({"name": name, **wanted})
    stack.save(record | {"tags": kept})
    return Response(status_code=DONE)


def _tag(wanted: dict[str, Any]) -> tuple[str, str]:
    """A tag's name and value by the rules that the CLI knows (`ValidateStackTags`)."""
    name, value = wanted.get("name"), wanted.get("value")
    if not isinstance(name, str) or not TAG_NAME.fullmatch(name):
        raise bad_request(f"tag name {name!r} is not valid")
    if not isinstance(value, str) or len(value) > LONGEST_TAG_VALUE:
        raise bad_request(f"the value of tag {name!r} is not valid")
    return name, value


async def export(request: Request) -> Response:
    """The deployment, the latest or as a version left it."""
    stack = cloud_of(request).stack(request)
    version = request.path_params.get("version")
    return JSONResponse(
        stack.deployment(None if version is None else number(version, 0, "version"))
    )


async def import_deployment(request: Request) -> Response:
    """Somebody says what the state is: an update of kind `import`, done at once."""
    cloud = cloud_of(request)
    login = cloud.caller(request).login
    deployment = await json_object(request)
    record = cloud.updates.adopt(cloud.stack(request), deployment, login)
    return JSONResponse({"updateId": record["id"]})


async def history(request: Request) -> Response:
    """The updates, newest first, in pages when asked."""
    cloud = cloud_of(request)
    records = cloud.updates.history(cloud.stack(request))
    size = number(request.query_params.get("pageSize"), 0, "pageSize")
    page = number(request.query_params.get("page"), 1, "page") or 1
    if size:
        records = records[(page - 1) * size : page * size]
    return JSONResponse({"updates": [history_entry(record) for record in records]})


def history_entry(record: dict[str, Any]) -> dict[str, Any]:
    """An update as `pulumi stack history` shows it; a cancelled one counts as failed."""
    results = {"running": "in-progress", "cancelled": "failed"}
    return {
        "kind": record["kind"],
        "startTime": record["start"],
        "endTime": record.get("end", 0),
        "message": record["message"],
        "environment": record["environment"],
        "config": record["config"],
        "result": results.get(record["status"], record["status"]),
        "version": record["version"],
        "resourceChanges": record.get("changes") or {},
    }


async def encrypt(request: Request) -> Response:
    """One value, for this stack only."""
    cloud, purpose = _vault_for(request)
    plaintext = _decoded((await json_object(request)).get("plaintext"))
    return JSONResponse({"ciphertext": _encoded(cloud.vault.encrypt(plaintext, purpose))})


async def decrypt(request: Request) -> Response:
    """One value of this stack."""
    cloud, purpose = _vault_for(request)
    ciphertext = _decoded((await json_object(request)).get("ciphertext"))
    return JSONResponse({"plaintext": _encoded(cloud.vault.decrypt(ciphertext, purpose))})


async def batch_encrypt(request: Request) -> Response:
    """Many values, answered in their order."""
    cloud, purpose = _vault_for(request)
    values = [_decoded(each) for each in (await json_object(request)).get("plaintexts") or []]
    ciphertexts = [_encoded(cloud.vault.encrypt(value, purpose)) for value in values]
    return JSONResponse({"ciphertexts": ciphertexts})


async def batch_decrypt(request: Request) -> Response:
    """Many values, answered under their ciphertexts."""
    cloud, purpose = _vault_for(request)
    values = (await json_object(request)).get("ciphertexts") or []
    plaintexts = {
        value: _encoded(cloud.vault.decrypt(_decoded(value), purpose)) for value in values
    }
    return JSONResponse({"plaintexts": plaintexts})


async def noted(request: Request) -> Response:
    """The CLI tells that it decrypted something; nothing depends on it."""
    cloud_of(request).stack(request)
    return Response(status_code=DONE)


def _vault_for(request: Request) -> tuple[Cloud, str]:
    """The vault and the purpose of a stack's values."""
    cloud = cloud_of(request)
    stack: Stack = cloud.stack(request)
    return cloud, f"stack {stack.record()['id']}"


def _decoded(value: Any) -> bytes:
    """Bytes as Go's JSON sends them; no bytes are null."""
    try:
        return base64.b64decode(value or "", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise bad_request(f"a value is not base64: {error}") from error


def _encoded(value: bytes) -> str:
    """Bytes as Go's JSON reads them."""
    return base64.b64encode(value).decode()


ROUTES = [
    Route(PROJECT, project, methods=["HEAD", "POST"]),
    Route(STACK, one_stack, methods=["GET", "DELETE"]),
    Route(STACK + "/tags", tags, methods=["PATCH", "POST"]),
    Route(STACK + "/tags/{name}", one_tag, methods=["PATCH", "DELETE"]),
    Route(STACK + "/export", export),
    Route(STACK + "/export/{version}", export),
    Route(STACK + "/import", import_deployment, methods=["POST"]),
    Route(STACK + "/updates", history),
    Route(STACK + "/encrypt", encrypt, methods=["POST"]),
    Route(STACK + "/decrypt", decrypt, methods=["POST"]),
    Route(STACK + "/batch-encrypt", batch_encrypt, methods=["POST"]),
    Route(STACK + "/batch-decrypt", batch_decrypt, methods=["POST"]),
    Route(STACK + "/decrypt/log-decryption", noted, methods=["POST"]),
    Route(STACK + "/decrypt/log-batch-decryption", noted, methods=["POST"]),
]

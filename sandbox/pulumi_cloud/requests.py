"""Reading what clients send: bodies that may be gzipped, names that become file names."""

import json
import re
import zlib
from typing import Any

from starlette.requests import Request

from sandbox.pulumi_cloud.errors import bad_request

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


async def body(request: Request) -> bytes:
    """The body, unpacked."""
    raw = await request.body()
    if request.headers.get("content-encoding") != "gzip":
        return raw
    try:
        return zlib.decompress(raw, wbits=31)
    except zlib.error as error:
        raise bad_request(f"the body is not gzip: {error}") from error


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; an empty body is an empty object."""
    content = await body(request)
    try:
        parsed = json.loads(content or b"{}")
    except ValueError as error:
        raise bad_request(f"the body is not JSON: {error}") from error
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise bad_request("the body is not a JSON object")
    return parsed


def safe_name(name: Any, what: str) -> str:
    """A name that may also name a file."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise bad_request(
            f"{what} {name!r} is not a valid name: use letters, digits, '-', '_', '.'"
        )
    return name


def path_name(request: Request, key: str) -> str:
    """A name out of the request's path."""
    return safe_name(request.path_params[key], key)


def number(value: str | None, default: int, what: str) -> int:
    """A whole number out of the path or the query."""
    if value is None or not value:
        return default
    if not value.isascii() or not value.isdecimal():
        raise bad_request(f"{what} {value!r} is not a whole number")
    return int(value)

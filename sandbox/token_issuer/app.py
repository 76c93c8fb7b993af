"""The issuer as an ASGI application; `contract.md` says what it promises and to whom."""

import base64
import binascii
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.token_issuer.accounts import Account, read_accounts
from sandbox.token_issuer.keys import ISSUER, load_key

TOKEN_LIFE = 300
_SCOPE = re.compile(r"(?P<kind>[a-z]+):(?P<name>[^:]+(?::[0-9]+/[^:]+)?):(?P<actions>[a-z*,]+)")


class Rejected(Exception):
    """The credentials of a request are wrong, revoked or not readable."""


def make_app(folder: Path) -> Starlette:
    """The issuer for the key and the accounts in `folder`."""
    key = load_key(folder)

    async def token(request: Request) -> JSONResponse:
        try:
            account = who_asks(read_accounts(folder), request.headers.get("authorization", ""))
        except Rejected as error:
            return _error(401, "UNAUTHORIZED", str(error))
        access = granted(account, request.query_params.getlist("scope"))
        claims = make_claims(account, request.query_params.get("service", ""), access)
        signed = jwt.encode(claims, key.private, "RS256", headers={"x5c": list(key.x5c)})
        return JSONResponse({"token": signed, "access_token": signed, "expires_in": TOKEN_LIFE})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            # No POST: containerd tries OAuth by POST first and falls back to GET on 405 only.
            Route("/token", token, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


def who_asks(accounts: Mapping[str, Account], authorization: str) -> Account | None:
    """The account that a Basic header proves; None for nobody."""
    scheme, _, encoded = authorization.partition(" ")
    if not authorization:
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Rejected("credentials are not readable") from error
    username, colon, password = decoded.partition(":")
    account = accounts.get(username)
    if scheme.lower() != "basic" or not colon or account is None or account.revoked:
        raise Rejected("authentication required")
    if not secrets.compare_digest(account.password.encode(), password.encode()):
        raise Rejected("authentication required")
    return account


def granted(account: Account | None, scopes: Sequence[str]) -> list[dict[str, Any]]:
    """What of the wanted scopes the account may do; nobody may do nothing."""
    wanted = [_SCOPE.fullmatch(each) for line in scopes for each in line.split()]
    allowed = set(account.actions) if account else set()
    return [
        {"type": each["kind"], "name": each["name"], "actions": actions}
        for each in wanted
        if each is not None and each["kind"] == "repository"
        if (actions := sorted(allowed & set(each["actions"].split(","))))
    ]


def make_claims(
    account: Account | None, service: str, access: list[dict[str, Any]]
) -> dict[str, Any]:
    """A token's content, as the Distribution project's JWT specification has it."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": account.username if account else "",
        "aud": service,
        "iat": now,
        "nbf": now - 10,
        "exp": now + TOKEN_LIFE,
        "jti": secrets.token_hex(8),
        "access": access,
    }


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"errors": [{"code": code, "message": message}]}, status)

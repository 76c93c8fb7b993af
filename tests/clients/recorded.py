"""A registry like GHCR, told from answers that docker-registry 2.8.2 and GHCR gave."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.registry import OciRegistry
from slipway.clients.registry_session import RegistrySession
from slipway.ports import PullCredentials

HOST = "ghcr.io"
PATH = "acme/shop/adapter"
REPOSITORY = f"{HOST}/{PATH}"
PASSWORD = "canary-password"

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

Answerer = Callable[[httpx.Request], httpx.Response | None]


def sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class Recorded:
    """What the registry holds; `instead` may answer a request before it does."""

    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By tag and by digest: media type and bytes."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=lambda: {"robot": PASSWORD})
    may_delete: bool = True
    may_push: bool = True
    uploads: set[str] = field(default_factory=set)
    instead: Answerer = lambda _: None
    requests: list[httpx.Request] = field(default_factory=list)
    tokens: int = 0
    token_life: int = 300

    def add_image(
        self,
        tag: str = "",
        labels: dict[str, str] | None = None,
        platform: tuple[str, str] = ("linux", "amd64"),
        **more: Any,
    ) -> str:
        """An image's manifest and configuration; its digest."""
        config = json.dumps(
            {"os": platform[0], "architecture": platform[1], "config": {"Labels": labels}, **more}
        ).encode()
        self.blobs[sha256(config)] = config
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": sha256(config), "size": len(config)},
            "layers": [],
        }
        return self.add_manifest(MANIFEST, manifest, tag)

    def add_manifest(self, media_type: str, content: dict[str, Any], tag: str = "") -> str:
        body = json.dumps(content, indent=3).encode()
        for name in filter(None, (tag, sha256(body))):
            self.manifests[name] = (media_type, body)
        return sha256(body)

    def asked(self, method: str = "") -> list[str]:
        """Paths asked of the registry itself, in order."""
        return [
            each.url.path
            for each in self.requests
            if each.url.path != "/token" and each.method == (method or each.method)
        ]

    def client(
        self, username: str = "robot", password: str = PASSWORD, kept: Path | None = None
    ) -> OciRegistry:
        credentials = PullCredentials(HOST, username, SecretStr(password)) if username else None
        session = RegistrySession(credentials, transport=httpx.MockTransport(self))
        return OciRegistry(session, KeptDocuments(kept) if kept else None)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.instead(request)
        if answer is not None:
            return answer
        if request.url.path == "/token":
            return self._token(request)
        if not request.headers.get("authorization", "").startswith("Bearer granted"):
            return self._challenge(request)
        return self._serve(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        header = request.headers.get("authorization", "")
        self.tokens += 1
        if not header:
            return httpx.Response(200, json={"token": "nothing", "expires_in": self.token_life})
        user, _, password = base64.b64decode(header.split()[1]).decode().partition(":")
        if self.accounts.get(user) != password:
            error = {"errors": [{"code": "DENIED", "message": "denied"}]}
            return httpx.Response(403, json=error)
        token = {"token": f"granted-{self.tokens}", "expires_in": self.token_life}
        return httpx.Response(200, json=token)

    def _challenge(self, request: httpx.Request) -> httpx.Response:
        actions = "pull" if request.method in {"GET", "HEAD"} else "pull,push"
        challenge = (
            f'Bearer realm="https://{HOST}/token",service="{HOST}",'
            f'scope="repository:{PATH}:{actions}"'
        )
        error = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
        return httpx.Response(401, json=error, headers={"www-authenticate": challenge})

    def _serve(self, request: httpx.Request) -> httpx.Response:
        kind, name = request.url.path.removeprefix(f"/v2/{PATH}/").split("/", 1)
        change = {"PUT": self._put, "DELETE": self._delete}.get(request.method)
        if change is not None and kind == "manifests":
            return change(request, name)
        if name.startswith("uploads/"):
            return self._upload(request, name)
        if kind == "blobs" and name in self.blobs:
            return httpx.Response(200, content=self.blobs[name])
        if kind == "tags":
            tags = [each for each in self.manifests if not each.startswith("sha256:")]
            return httpx.Response(200, json={"name": PATH, "tags": tags})
        if kind == "manifests" and name in self.manifests:
            return self._manifest(request, *self.manifests[name])
        # docker-registry 2.8.2 looks for a manifest where it links blobs, too.
        taken_for_one = kind == "manifests" and name in self.blobs
        status, code = (500, "UNKNOWN") if taken_for_one else (404, "MANIFEST_UNKNOWN")
        return httpx.Response(status, json={"errors": [{"code": code, "message": code.lower()}]})

    def _manifest(self, request: httpx.Request, kind: str, body: bytes) -> httpx.Response:
        if kind not in request.headers["accept"]:
            # What docker-registry 2.8.2 does for `*/*`: another format, another digest.
            kind, body = "application/vnd.docker.distribution.manifest.v1+prettyjws", b"{}"
        headers = {"content-type": kind, "docker-content-digest": sha256(body)}
        return httpx.Response(
            200, headers=headers, content=body if request.method == "GET" else b""
        )

    def _upload(self, request: httpx.Request, name: str) -> httpx.Response:
        if not self.may_push:
            return httpx.Response(403, json={"errors": [{"code": "DENIED"}]})
        if request.method == "DELETE":
            self.uploads.discard(name)
            return httpx.Response(204)
        self.uploads.add("uploads/one")
        return httpx.Response(202, headers={"location": f"/v2/{PATH}/blobs/uploads/one?_state=x"})

    def _delete(self, request: httpx.Request, digest: str) -> httpx.Response:
        del request
        if not self.may_delete:
            return httpx.Response(405, json={"errors": [{"code": "UNSUPPORTED"}]})
        known = {name for name, (_, body) in self.manifests.items() if sha256(body) == digest}
        for name in known:
            del self.manifests[name]
        return httpx.Response(202 if known else 404)

    def _put(self, request: httpx.Request, name: str) -> httpx.Response:
        if not self.may_push:
            return httpx.Response(403, json={"errors": [{"code": "DENIED"}]})
        body = request.content
        self.manifests[name] = (request.headers["content-type"], body)
        return httpx.Response(201, headers={"docker-content-digest": sha256(body)})

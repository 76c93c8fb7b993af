"""The routes of GitHub's REST API that Slipway uses (contract.md)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.github.deliveries import HOOK, Hook
from sandbox.github.packages import Packages
from sandbox.github.shown import Invalid, Shown
from sandbox.github.workflows import Workflows, listed

Answering = Callable[[Request], Awaitable[Response]]
OK, CREATED, ACCEPTED, NO_CONTENT = 200, 201, 202, 204
UNAUTHORIZED, NOT_FOUND, UNPROCESSABLE = 401, 404, 422


@dataclass(frozen=True)
class Api:
    """One repository behind the API, for whoever shows its token."""

    repository: str
    """`owner/name`."""
    token: str
    shown: Shown
    hook: Hook
    packages: Packages
    workflows: Workflows = field(default_factory=Workflows)

    def app(self) -> Starlette:
        """The application."""
        routes = (
            ("POST", "statuses/{sha}", self._add_status),
            ("GET", "commits/{sha}/statuses", self._statuses),
            ("POST", "deployments", self._add_deployment),
            ("GET", "deployments", self._deployments),
            ("POST", "deployments/{deployment:int}/statuses", self._add_progress),
            ("GET", "deployments/{deployment:int}/statuses", self._progress),
            ("GET", f"hooks/{HOOK}/deliveries", self._deliveries),
            ("POST", f"hooks/{HOOK}/deliveries/{{delivery:int}}/attempts", self._redeliver),
            ("GET", "actions/workflows/{file}/runs", self._runs),
        )
        versions = f"/orgs/{self.packages.owner}/packages/container/{{package:path}}/versions"
        owned = (
            ("GET", versions, self._versions),
            ("DELETE", f"{versions}/{{version:int}}", self._delete_version),
            ("POST", f"{versions}/{{version:int}}/restore", self._restore_version),
        )
        return Starlette(
            routes=[
                Route("/healthz", _health),
                *(
                    Route(f"/repos/{self.repository}/{path}", self._known(answer), methods=[method])
                    for method, path, answer in routes
                ),
                *(
                    Route(path, self._known(answer), methods=[method])
                    for method, path, answer in owned
                ),
            ],
            exception_handlers={NOT_FOUND: _not_found},
        )

    def _known(self, answer: Answering) -> Answering:
        async def answered(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                return _problem(UNAUTHORIZED, "Bad credentials")
            try:
                return await answer(request)
            except Invalid as error:
                return _problem(UNPROCESSABLE, f"Validation Failed: {error}")

        return answered

    async def _add_status(self, request: Request) -> Response:
        made = self.shown.add_status(request.path_params["sha"], await _asked(request))
        return JSONResponse(made, CREATED)

    async def _statuses(self, request: Request) -> Response:
        return JSONResponse(self.shown.statuses.get(request.path_params["sha"], []))

    async def _add_deployment(self, request: Request) -> Response:
        return JSONResponse(self.shown.add_deployment(await _asked(request)), CREATED)

    async def _deployments(self, request: Request) -> Response:
        found = self.shown.deployments_of(request.query_params.get("environment"))
        return JSONResponse(found[: _per_page(request)])

    async def _add_progress(self, request: Request) -> Response:
        deployment = request.path_params["deployment"]
        if deployment not in self.shown.progress:
            return _problem(NOT_FOUND, "Not Found")
        return JSONResponse(self.shown.add_progress(deployment, await _asked(request)), CREATED)

    async def _progress(self, request: Request) -> Response:
        found = self.shown.progress.get(request.path_params["deployment"])
        if found is None:
            return _problem(NOT_FOUND, "Not Found")
        return JSONResponse(found[: _per_page(request)])

    async def _deliveries(self, request: Request) -> Response:
        """A page, from the delivery that the cursor names; the next one is linked to."""
        listed, cursor = self.hook.listed(), request.query_params.get("cursor", "")
        first = next((at for at, each in enumerate(listed) if str(each["id"]) == cursor), 0)
        size = _per_page(request)
        answer = JSONResponse(listed[first : first + size])
        if len(listed) > first + size:
            following = request.url.include_query_params(cursor=listed[first + size]["id"])
            answer.headers["link"] = f'<{following}>; rel="next"'
        return answer

    async def _redeliver(self, request: Request) -> Response:
        delivery = request.path_params["delivery"]
        if not await anyio.to_thread.run_sync(self.hook.redeliver, delivery):
            return _problem(NOT_FOUND, "Not Found")
        return JSONResponse({}, ACCEPTED)

    async def _runs(self, request: Request) -> Response:
        found = self.workflows.of(request.path_params["file"], request.query_params)
        address = str(request.url).partition("/actions/")[0]
        shown = [
            listed(run, len(found) - at, self.repository, address)
            for at, run in enumerate(found[: _per_page(request)])
        ]
        return JSONResponse({"total_count": len(found), "workflow_runs": shown})

    async def _versions(self, request: Request) -> Response:
        found = await anyio.to_thread.run_sync(
            self.packages.versions, request.path_params["package"]
        )
        size, page = _per_page(request), int(request.query_params.get("page", "1"))
        shown = found[(page - 1) * size : page * size]
        following = request.url.include_query_params(page=page + 1)
        links = {"Link": f'<{following}>; rel="next"'} if page * size < len(found) else {}
        return JSONResponse(shown, headers=links)

    async def _delete_version(self, request: Request) -> Response:
        return await self._of_version(self.packages.delete, request)

    async def _restore_version(self, request: Request) -> Response:
        return await self._of_version(self.packages.restore, request)

    async def _of_version(self, change: Callable[[str, int], bool], request: Request) -> Response:
        package, version = request.path_params["package"], request.path_params["version"]
        if not await anyio.to_thread.run_sync(change, package, version):
            return _problem(NOT_FOUND, "Not Found")
        return Response(status_code=NO_CONTENT)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _not_found(_: Request, __: Exception) -> Response:
    return _problem(NOT_FOUND, "Not Found")


async def _asked(request: Request) -> Mapping[str, Any]:
    asked = await request.json()
    if not isinstance(asked, dict):
        raise Invalid("the body is not an object")
    return asked


def _per_page(request: Request) -> int:
    return min(100, int(request.query_params.get("per_page", "30")))


def _problem(status: int, message: str) -> Response:
    address = "https://docs.github.com/rest"
    return JSONResponse(
        {"message": message, "documentation_url": address, "status": str(status)}, status
    )

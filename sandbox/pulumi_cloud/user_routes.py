"""Who am I, which stacks are there, and what the server can do."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.cloud import cloud_of

# Without delta checkpoints, journals and begin-update the CLI sends whole checkpoints.
CAPABILITIES = [
    {"capability": "batch-encrypt"},
    {"capability": "deployment-schema-version", "configuration": {"version": 4}},
]


async def user(request: Request) -> Response:
    """The account behind the token."""
    account = cloud_of(request).accounts.authenticate(request)
    return JSONResponse(
        {
            "githubLogin": account.login,
            "name": account.login,
            "organizations": [{"githubLogin": account.organization, "name": account.organization}],
        }
    )


async def default_organization(request: Request) -> Response:
    """Stacks named without an organization belong to the only one there is."""
    account = cloud_of(request).accounts.authenticate(request)
    return JSONResponse({"GitHubLogin": account.organization, "Messages": []})


async def capabilities(_request: Request) -> Response:
    """What the CLI may use."""
    return JSONResponse({"capabilities": CAPABILITIES})


async def list_stacks(request: Request) -> Response:
    """All stacks, or those of one project."""
    cloud = cloud_of(request)
    account = cloud.accounts.authenticate(request)
    wanted = request.query_params.get("project")
    found = []
    for stack in cloud.stacks.all(account.organization):
        if wanted and stack.project != wanted:
            continue
        history = cloud.updates.history(stack)
        summary = {
            "id": stack.record()["id"],
            "orgName": stack.organization,
            "projectName": stack.project,
            "stackName": stack.name,
            "resourceCount": len(stack.resources()),
        }
        found.append(summary | ({"lastUpdate": history[0]["start"]} if history else {}))
    return JSONResponse({"stacks": found})


ROUTES = [
    Route("/api/user", user),
    Route("/api/user/organizations/default", default_organization),
    Route("/api/user/stacks", list_stacks),
    Route("/api/capabilities", capabilities),
]

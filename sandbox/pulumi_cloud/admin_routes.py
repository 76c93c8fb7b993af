"""What tests may do to the server and Pulumi's clients may not; it has a token of its own."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud.cloud import cloud_of
from sandbox.pulumi_cloud.requests import json_object


async def expire_lease(request: Request) -> Response:
    """End the lease of a stack's running update, as five minutes of silence would."""
    cloud = cloud_of(request)
    cloud.accounts.authorize_admin(request)
    record = cloud.updates.expire_lease(cloud.stack_of_path(request))
    return JSONResponse({"updateID": record["id"], "version": record["version"]})


async def faults(request: Request) -> Response:
    """POST plants a fault, GET tells how often each has struck, DELETE removes all."""
    cloud = cloud_of(request)
    cloud.accounts.authorize_admin(request)
    if request.method == "POST":
        return JSONResponse(cloud.faults.plant(await json_object(request)), status_code=201)
    if request.method == "DELETE":
        cloud.faults.clear()
    return JSONResponse({"faults": cloud.faults.planted()})


ROUTES = [
    Route("/admin/faults", faults, methods=["GET", "POST", "DELETE"]),
    Route("/admin/stacks/{org}/{project}/{stack}/expire-lease", expire_lease, methods=["POST"]),
]

"""The stand-in as an ASGI application."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.pulumi_cloud import admin_routes, stack_routes, update_routes, user_routes
from sandbox.pulumi_cloud.cloud import Cloud
from sandbox.pulumi_cloud.errors import ApiError, api_error_response
from sandbox.pulumi_cloud.esc import revision_routes
from sandbox.pulumi_cloud.esc import routes as esc_routes
from sandbox.pulumi_cloud.faults import FaultMiddleware


async def health(_request: Request) -> Response:
    """Ready."""
    return JSONResponse({"status": "ok"})


def create_app(cloud: Cloud) -> Starlette:
    """The application over one state folder."""
    app = Starlette(
        routes=[
            Route("/healthz", health),
            *admin_routes.ROUTES,
            *user_routes.ROUTES,
            # Before the environments: `versions/tags` is no version.
            *revision_routes.ROUTES,
            *esc_routes.ROUTES,
            *stack_routes.ROUTES,
            *update_routes.ROUTES,
        ],
        middleware=[Middleware(FaultMiddleware, faults=cloud.faults)],
        exception_handlers={ApiError: api_error_response},
    )
    app.state.cloud = cloud
    return app

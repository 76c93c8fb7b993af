"""The one kind of refusal, as Pulumi's clients read it: `{code, message, diagnostics?}`."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """A request is refused with this status and message, and nothing has changed."""

    def __init__(
        self, status: int, message: str, diagnostics: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.diagnostics = list(diagnostics)


def not_found(message: str) -> ApiError:
    """What is asked for does not exist."""
    return ApiError(404, f"Not Found: {message}")


def bad_request(message: str) -> ApiError:
    """What is asked makes no sense."""
    return ApiError(400, f"Bad Request: {message}")


def conflict(message: str) -> ApiError:
    """Somebody else was faster."""
    return ApiError(409, f"Conflict: {message}")


async def api_error_response(_request: Request, error: Exception) -> Response:
    """The refusal as the clients parse it."""
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this type only
    body: dict[str, Any] = {"code": error.status, "message": error.message}
    if error.diagnostics:
        body["diagnostics"] = error.diagnostics
    return JSONResponse(body, status_code=error.status)

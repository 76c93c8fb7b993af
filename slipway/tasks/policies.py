"""Which steps may be repeated, written once for both ways to run them.

A step is a Prefect task inside a flow run and a plain coroutine outside one (`--local`, the
simulation). Prefect is not imported before a flow run exists: it costs a second and a half.
"""

import asyncio
import functools
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from slipway.domain.address import without_credentials
from slipway.errors import TransientError

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

P = ParamSpec("P")
R = TypeVar("R")
Step = Callable[P, Awaitable[R]]

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = (1.0, 4.0, 15.0)
"""A registry that restarts, a network that blinks: over by then, or not soon."""


def repeatable(name: str) -> Callable[[Step[P, R]], Step[P, R]]:
    """A step that only reads, or whose effect is the same however often it happens.

    Tried again after a `TransientError`, never after anything else.
    """
    return _step(name, SECONDS_BETWEEN_TRIES)


def once(name: str) -> Callable[[Step[P, R]], Step[P, R]]:
    """A step whose effect must be observed before it may happen again: never repeated blindly."""
    return _step(name, ())


def _step(name: str, delays: Sequence[float]) -> Callable[[Step[P, R]], Step[P, R]]:
    def decorate(function: Step[P, R]) -> Step[P, R]:
        @functools.cache
        def as_task() -> Step[P, R]:
            return _as_task(function, name, delays)

        @functools.wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            # A step inside a step is part of it, not one more task to look at.
            if in_flow_run() and not _in_task_run():
                return await _uncrashed(as_task()(*args, **kwargs))
            return await with_tries(function, name, delays, *args, **kwargs)

        return run

    return decorate


def in_flow_run() -> bool:
    """Whether this code runs inside a Prefect flow run."""
    context = sys.modules.get("prefect.context")
    return context is not None and context.FlowRunContext.get() is not None


def run_address(run: object) -> str:
    """Where Prefect shows a flow run, by its id; empty where Prefect knows no such place.

    Prefect makes it from the API's address, with a password that may be in that.
    """
    from prefect.utilities.urls import url_for  # noqa: PLC0415 - only a flow run pays for the import

    return without_credentials(url_for("flow-run", obj_id=str(run)) or "")


def _in_task_run() -> bool:
    context = sys.modules.get("prefect.context")
    return context is not None and context.TaskRunContext.get() is not None


def _as_task(function: Step[P, R], name: str, delays: Sequence[float]) -> Step[P, R]:
    from prefect import task  # noqa: PLC0415 - only a flow run pays for the import
    from prefect.cache_policies import NO_CACHE  # noqa: PLC0415 - likewise

    return task(
        name=name,
        retries=len(delays),
        retry_delay_seconds=list(delays) or None,
        retry_condition_fn=_is_transient,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(_ending_cancelled(function))


def _ending_cancelled(function: Step[P, R]) -> Step[P, R]:
    """The step, whose task run ends as cancelled when it is: Prefect calls it a crash itself."""
    from prefect.states import Cancelled  # noqa: PLC0415 - likewise

    @functools.wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await function(*args, **kwargs)
        except asyncio.CancelledError:
            # Prefect takes a state that is returned as the task run's end, and hands it on.
            return cast("R", Cancelled(message="the run was cancelled"))

    return run


async def _uncrashed(step: Awaitable[R]) -> R:
    """The step's result; a cancel goes on as the cancel that it was."""
    from prefect.client.schemas.objects import State  # noqa: PLC0415 - likewise

    result = await step
    if isinstance(result, State):
        raise asyncio.CancelledError
    return result


def _is_transient(task: "Task[..., Any]", run: "TaskRun", state: "State[Any]") -> bool:
    del task, run
    return isinstance(state.data, TransientError) or isinstance(
        getattr(state.data, "exception", None), TransientError
    )


async def with_tries(
    function: Step[P, R], name: str, delays: Sequence[float], *args: P.args, **kwargs: P.kwargs
) -> R:
    """The function's result; after a `TransientError` it is tried again, once for each delay."""
    for delay in delays:
        try:
            return await function(*args, **kwargs)
        except TransientError as error:
            log.warning("%s: %s; trying again in %g s", name, error, delay)
            await asyncio.sleep(delay)
    return await function(*args, **kwargs)

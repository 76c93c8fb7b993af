"""Asking places outside so that one which does not answer hides none of the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from slipway.domain.agreement import Unknown
from slipway.domain.commit import Commit
from slipway.errors import SlipwayError
from slipway.ports import Ports

A = TypeVar("A")
T = TypeVar("T")

WITHIN = 20.0
"""Seconds that one system may take to answer."""
FETCH_WITHIN = 120.0
"""Seconds that git may take: the first fetch brings everything."""


async def asked(answer: Awaitable[T], within: float = WITHIN) -> T | Unknown:
    """What a place answers, or why that is unknown."""
    try:
        async with asyncio.timeout(within):
            return await answer
    except SlipwayError as error:
        return Unknown(str(error), error.next_step)
    except TimeoutError:
        return Unknown(f"no answer within {within:g} s", "see what keeps it so long")


async def each_of(these: Iterable[A], ask: Callable[[A], Awaitable[T]], at_once: int) -> list[T]:
    """What is answered of each, in their order; never more than so many are asked at a time."""
    waiting = enumerate(these)
    answers: dict[int, T] = {}

    async def in_turn() -> None:
        for number, this in waiting:
            answers[number] = await ask(this)

    askers = [asyncio.ensure_future(in_turn()) for _ in range(at_once)]
    try:
        await asyncio.gather(*askers)
    finally:
        for each in askers:  # after an error nothing more is asked, and nothing is under way
            each.cancel()
        await asyncio.gather(*askers, return_exceptions=True)
    return [answers[number] for number in sorted(answers)]


class Together:
    """What many targets ask of one place is asked once: a fetch, a checkout, a stack's state.

    Use it as a context: checkouts are gone at its end.
    """

    def __init__(self) -> None:
        self._asked: dict[str, list[tuple[object, asyncio.Future[Any]]]] = {}
        """What was asked for → whom, and the answer."""
        self._checkouts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._checkouts.aclose()

    async def once(self, what: str, whom: object, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of the first who asked `whom` for `what`, an error of it too."""
        known = self._asked.setdefault(what, [])
        for of, answer in known:
            if of is whom or of == whom:
                return cast("T", await asyncio.shield(answer))
        mine = asyncio.ensure_future(ask())
        known.append((whom, mine))
        return await asyncio.shield(mine)

    async def fetched(self, ports: Ports) -> None:
        """Bring the mirror of the target's repository up to date."""
        await self.once("fetch", ports.source, ports.source.fetch)

    async def tree(self, ports: Ports, commit: Commit) -> Path:
        """A checkout of a commit."""
        return await self.once(
            f"checkout of {commit}",
            ports.source,
            lambda: self._checkouts.enter_async_context(ports.source.checkout(commit)),
        )

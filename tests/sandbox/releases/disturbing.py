"""What happens outside at an exact moment of a release: just before or after a port's method."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from slipway.ports import ConfigStore, Ports, Stack

Disturbance = Callable[[], Awaitable[None]]


class Disturbed:
    """A port that does something just before, or after, one of its methods, once."""

    def __init__(
        self, port: object, method: str, disturb: Disturbance, *, after: bool = False
    ) -> None:
        self._port, self._method, self._disturb, self._after = port, method, disturb, after
        self._done = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name != self._method or self._done:
            return found

        async def disturbed(*arguments: Any, **named: Any) -> Any:
            first, self._done = not self._done, True
            if first and not self._after:
                await self._disturb()
            result = await found(*arguments, **named)
            if first and self._after:
                await self._disturb()
            return result

        return disturbed


def before_up(ports: Ports, disturb: Disturbance) -> Ports:
    """The same ports, disturbed just before `pulumi up`."""
    stack: Stack = Disturbed(ports.stack, "up", disturb)
    return replace(ports, stack=stack)


def after_up(ports: Ports, disturb: Disturbance) -> Ports:
    """The same ports, disturbed as soon as `pulumi up` has ended."""
    stack: Stack = Disturbed(ports.stack, "up", disturb, after=True)
    return replace(ports, stack=stack)


def before_write(ports: Ports, disturb: Disturbance) -> Ports:
    """The same ports, disturbed between the decision and the write of the ESC environment."""
    config: ConfigStore = Disturbed(ports.config, "write", disturb)
    return replace(ports, config=config)


def after_write(ports: Ports, disturb: Disturbance) -> Ports:
    """The same ports, disturbed between the pin and its apply."""
    config: ConfigStore = Disturbed(ports.config, "write", disturb, after=True)
    return replace(ports, config=config)

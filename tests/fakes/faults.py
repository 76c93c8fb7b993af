"""Faults that a test plants at an effect: before it, after it, once or until taken away."""

from collections import defaultdict
from collections.abc import Awaitable, Callable

Fault = Callable[[], Awaitable[None] | None]


class Faults:
    """What happens around the effects of a fake world, by the effect's name (`config.write`)."""

    def __init__(self) -> None:
        self._once: dict[str, list[Fault]] = defaultdict(list)
        self._always: dict[str, Fault] = {}
        self.effects: list[str] = []

    def before(self, effect: str, fault: Fault) -> None:
        """Do `fault` once, before the next `effect`."""
        self._once[f"before {effect}"].append(fault)

    def after(self, effect: str, fault: Fault) -> None:
        """Do `fault` once, after the next `effect` has happened: its answer may get lost."""
        self._once[f"after {effect}"].append(fault)

    def always(self, effect: str, error: Exception | None) -> None:
        """Raise `error` before every `effect` from now on; None ends that."""
        if error is None:
            self._always.pop(effect, None)
        else:
            self._always[effect] = _raiser(error)

    async def at(self, moment: str, effect: str) -> None:
        """Called by the fakes: `moment` is `before` or `after`."""
        if moment == "before":
            self.effects.append(effect)
            if effect in self._always:
                self._always[effect]()
        waiting = self._once[f"{moment} {effect}"]
        if waiting:
            result = waiting.pop(0)()
            if result is not None:
                await result


def raising(error: BaseException) -> Fault:
    """A fault that raises."""
    return _raiser(error)


def _raiser(error: BaseException) -> Fault:
    def fault() -> None:
        raise error

    return fault

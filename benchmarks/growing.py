"""How a cost grows with a size: the slope of its line where both axes are logarithmic."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from benchmarks.rows import AtMost, Row
from benchmarks.samples import Series, Side, exponent, in_turns, series

Prepare = Callable[[int], Awaitable[Mapping[str, Side]]]
"""Makes a world of this size; what is measured in it."""


@dataclass(frozen=True)
class Growth:
    """One cost, and what it may grow with."""

    id: str
    what: str
    things: str
    sizes: tuple[int, ...]
    prepare: Prepare
    at_most: float
    """The exponent that is promised of the last step: 1 grows as the size does, 0 not at all."""
    note: str = ""

    async def measure(self, rounds: int) -> list[Row]:
        """Every size in turn; in each, the sides in turns."""
        taken = {}
        for size in self.sizes:
            print(f"  {self.what}: {size:,} {self.things}", flush=True)
            taken[size] = await in_turns(await self.prepare(size), rounds)
        return self.rows(taken)

    def rows(self, taken: Mapping[int, Mapping[str, Series]]) -> list[Row]:
        """The exponents of the last step, and the seconds at the largest size.

        What costs the same at any size hides what grows; least of all in the last step.
        """
        largest = taken[self.sizes[-1]]
        slopes = {name: exponents({n: taken[n][name] for n in self.sizes[-2:]}) for name in largest}
        points = {name: {n: taken[n][name].median for n in self.sizes} for name in largest}
        sizes = f"{self.sizes[-2]:,} to {self.sizes[-1]:,} {self.things}"
        whole = {name: exponents({n: taken[n][name] for n in self.sizes}) for name in largest}
        told = ", ".join(f"{name} {each.median:.2f}" for name, each in whole.items())
        overall = f"exponents from {self.sizes[0]:,} on: {told}"
        return [
            Row(
                self.id,
                f"{self.what}: how it grows over {sizes}",
                "exponent",
                slopes["ours"],
                slopes.get("peer"),
                slopes.get("limit"),
                AtMost(self.at_most),
                points=points,
                note=self.note,
            ),
            Row(
                f"{self.id}-largest",
                f"{self.what}, at {self.sizes[-1]:,} {self.things}",
                "s",
                largest["ours"],
                largest.get("peer"),
                largest.get("limit"),
                note="; ".join(filter(None, (self.note, overall))),
            ),
        ]


def exponents(by_size: Mapping[int, Series]) -> Series:
    """One exponent a round."""
    rounds = min(len(each.values) for each in by_size.values())
    return series(
        *(exponent({n: each.values[i] for n, each in by_size.items()}) for i in range(rounds))
    )

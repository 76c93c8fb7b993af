"""Whether all places that speak of a target's image speak of the same one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slipway.domain.image import Digest


@dataclass(frozen=True, slots=True)
class Unknown:
    """A place that could not be looked at: something else than a place where nothing is."""

    why: str
    next_step: str = ""
    """What to do about it, where that is known."""


@dataclass(frozen=True, slots=True)
class Places:
    """What each place says; None means that it was looked at and names no image."""

    pinned: str | Unknown | None
    """The key's value in ESC."""
    accepted: frozenset[Digest] | Unknown | None
    """By which digests the pinned image may run, as the registry has it."""
    recorded: str | Unknown | None
    """The image in Pulumi's state."""
    asked: str | Unknown | None
    """The pod template's image."""
    running: Mapping[str, Digest | None] | Unknown
    """Ready pod → the digest that it runs, None where it can't be read."""


def disagreements(places: Places) -> list[str]:
    """Why it can't be said that one image is pinned, applied and running; empty when it can."""
    return [*_unknown(places), *_differing(places), *_not_running(places)]


def _unknown(places: Places) -> Iterator[str]:
    for name, value in (
        ("the ESC value", places.pinned),
        ("what the registry holds", places.accepted),
        ("Pulumi's record", places.recorded),
        ("the pod template", places.asked),
        ("what runs", places.running),
    ):
        if isinstance(value, Unknown):
            yield f"{name} is unknown: {value.why}"


def _differing(places: Places) -> Iterator[str]:
    if places.pinned is None:
        yield "ESC names no image"
    if _both_known(places.pinned, places.recorded) and places.pinned != places.recorded:
        yield (
            f"ESC says {places.pinned}, but Pulumi has applied {places.recorded or 'no image'}: "
            "nobody has applied the ESC value"
        )
    if _both_known(places.recorded, places.asked) and places.recorded != places.asked:
        yield (
            f"Pulumi's state records {places.recorded or 'no image'}, but the Deployment asks for "
            f"{places.asked or 'nothing: there is none'}: somebody changed one without the other"
        )


def _both_known(one: str | Unknown | None, other: str | Unknown | None) -> bool:
    return not isinstance(one, Unknown) and not isinstance(other, Unknown)


def _not_running(places: Places) -> Iterator[str]:
    if places.accepted is None and not isinstance(places.pinned, Unknown | None):
        yield f"the registry has no image {places.pinned}"
    if isinstance(places.running, Unknown):
        return
    if not places.running:
        yield "no pod is ready"
    if not isinstance(places.accepted, frozenset):
        return
    for pod, digest in places.running.items():
        if digest not in places.accepted:
            shown = digest or "a digest that can't be read"
            yield f"pod {pod} runs {shown}, which is not the image that ESC names"

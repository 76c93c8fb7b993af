"""Where a rollback goes by default: which releases are ways back from what is there now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.domain.candidate import live_since, proven_live
from slipway.domain.hold import Barred
from slipway.domain.image import Digest, ImageReference
from slipway.domain.release import Kind, Release
from slipway.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a rollback goes away from, by the digests that the ledger has for it."""

    running: Digest | None = None
    """What ready pods run. Where there is no one such image it is what is asked for: an image that
    was proven live and has broken since. None where nobody knows of anything good there."""
    asked: Digest | None = None
    """What the pod template asks for, if that was ever proven live."""


def leaving(history: Sequence[Release], running: Digest | None, asked: str) -> Leaving:
    """What a rollback leaves: `running` is the digest of all ready pods, `asked` the template's.

    A template that asks for what was never proven live, as a failed release leaves it, tells
    nothing: the way back from there is what was proven live last.
    """
    wanted = _proven_as(proven_live(history), asked)
    known = _known_as(history).get(running, running) if running else None
    return Leaving(known or wanted, wanted)


def previous(
    history: Sequence[Release], left: Leaving, barred: Barred | None = None
) -> list[Release]:
    """Ways back from what is left, best first; none to what is vetoed, under whatever name.

    A way back was proven live (or adopted) before the running digest's first time live, has another
    digest, also than the one asked for, and was not itself rolled away from: so that asking twice
    goes further back instead of forth. Whether its image can still be pulled is for the caller to
    ask.
    """
    live = proven_live(history)
    begins = _begins(live)
    begin = begins.get(left.running)
    no_way = {left.running, left.asked, None, *_rolled_away_from(live)}
    ways: dict[Digest, Release] = {}
    for each in live:
        if each.digest is None or each.digest in no_way:
            continue
        if barred is not None and barred.bars(each.commit, each.digest):
            continue
        if begin is None or begins[each.digest] < begin:
            ways.setdefault(each.digest, each)
    return list(ways.values())


def _known_as(history: Sequence[Release]) -> Mapping[Digest, Digest]:
    """The digest that the ledger uses for each that runs: a runtime may report a platform's."""
    known: dict[Digest, Digest] = {}
    for each in history:
        if each.digest is not None:
            for name in each.accepted:
                known.setdefault(name, each.digest)
    return known


def _proven_as(live: Sequence[Release], asked: str) -> Digest | None:
    """The digest that was proven live as the image that is asked for; None if none ever was.

    A tag that names no digest is what was proven live under it last.
    """
    wanted = _reference(asked)
    if wanted is None:
        return None
    if wanted.digest is not None:
        known = (each for each in live if wanted.digest in each.accepted | {each.digest})
    else:
        known = (each for each in live if _is_tagged(each, wanted))
    return next((each.digest for each in known), None)


def _is_tagged(release: Release, wanted: ImageReference) -> bool:
    image = _reference(release.image)
    return image is not None and (image.repository, image.tag) == (wanted.repository, wanted.tag)


def _reference(text: str) -> ImageReference | None:
    try:
        return ImageReference.parse(text) if text else None
    except InvalidInput:
        return None


def _begins(live: Sequence[Release]) -> Mapping[Digest | None, float]:
    """When each digest was live for the first time; `live` is newest first."""
    return {each.digest: live_since(each) for each in live}


def _rolled_away_from(live: Sequence[Release]) -> set[Digest]:
    """Digests that a rollback left, unless a deploy made them live again since.

    Of what had no ready pod any more only the pod template tells.
    """
    known, abandoned = _known_as(live), set[Digest]()
    for each in reversed(live):
        if each.kind is Kind.ROLLBACK and (left := _left_by(live, each)) is not None:
            abandoned.add(known.get(left, left))
        if each.digest is not None:
            abandoned.discard(each.digest)
    return abandoned


def _left_by(live: Sequence[Release], rollback: Release) -> Digest | None:
    before = rollback.baseline.spec_image if rollback.baseline else None
    return rollback.previous_digest or _proven_as(live, before or "")

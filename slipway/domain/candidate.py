"""Which release a rollback may go back to."""

from collections.abc import Collection, Iterable, Sequence

from slipway.domain.commit import Commit
from slipway.domain.image import Digest
from slipway.domain.release import Kind, Release, State


def proven_live(history: Iterable[Release]) -> list[Release]:
    """The releases of one target that were proven live or adopted, newest first."""
    live = [each for each in history if each.state is State.LIVE and each.live_since is not None]
    return sorted(live, key=_live_since, reverse=True)


def present(history: Iterable[Release]) -> Release | None:
    """The release whose image is live now, as far as the ledger knows."""
    return next(iter(proven_live(history)), None)


def previous(
    history: Sequence[Release], running: Digest | None, vetoed: Collection[Commit] = ()
) -> list[Release]:
    """Ways back from `running`, best first; none to a vetoed commit.

    A way back was proven live (or adopted) before the running digest's first time live, has another
    digest, and was not itself rolled away from: so that asking twice goes further back instead of
    forth. Whether its image can still be pulled is for the caller to ask.
    """
    live = proven_live(history)
    first_time = min((_live_since(each) for each in live if each.digest == running), default=None)
    abandoned = _rolled_away_from(live)
    ways: list[Release] = []
    for each in live:
        if each.digest is None or each.digest == running or each.digest in abandoned:
            continue
        if each.commit in vetoed:
            continue
        if first_time is not None and _first_live(live, each.digest) >= first_time:
            continue
        if each.digest not in {way.digest for way in ways}:
            ways.append(each)
    return ways


def _first_live(live: Sequence[Release], digest: Digest) -> float:
    return min(_live_since(each) for each in live if each.digest == digest)


def _rolled_away_from(live: Sequence[Release]) -> set[Digest]:
    """Digests that a rollback left, unless a deploy made them live again since."""
    abandoned: set[Digest] = set()
    for each in reversed(live):
        if each.kind is Kind.ROLLBACK and each.previous_digest is not None:
            abandoned.add(each.previous_digest)
        if each.digest is not None:
            abandoned.discard(each.digest)
    return abandoned


def _live_since(release: Release) -> float:
    return release.live_since.timestamp() if release.live_since is not None else 0.0

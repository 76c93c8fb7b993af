"""What must be true of a ledger that an earlier release of the program has filled.

`fixtures/` holds such ledgers as SQL, made by that program itself: an adopted release, one live,
one refused, one whose end is unproven, and one whose process died after its pin, holding the lease.
Those of schemas 0002 to 0006 are the first one, as each of these carries it over.
"""

from dataclasses import replace
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from slipway.domain.image import ImageReference
from slipway.domain.journal import Chain, flaws, folded, intent
from slipway.domain.release import Kind, Phase, Release, State
from slipway.ledger.rows import release_from
from slipway.ledger.tables import metadata
from slipway.ports import Ledger
from tests.ledger.examples import (
    BASELINE,
    COMMIT,
    DIGEST,
    IMAGE,
    INPUTS,
    OTHER,
    STACK,
    a_request,
    a_target,
)

FIXTURES = Path(__file__).parent / "fixtures"


def differences(connection: Connection) -> list[object]:
    """Where a database is not what `tables.py` says."""
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def require_carried_over(ledger: Ledger) -> None:
    """Everything that the first schema recorded is there, and can be gone on with."""
    history = await ledger.history("adapter-prod")
    unproven, rollback, live, adopted = history
    [died] = await ledger.history("sink-prod")
    assert [each.kind for each in history] == [
        Kind.DEPLOY,
        Kind.ROLLBACK,
        Kind.DEPLOY,
        Kind.ADOPTED,
    ]
    _require_all_fields(live)
    assert (adopted.state, adopted.digest) == (State.LIVE, OTHER)
    assert rollback.reason.startswith("no-candidate: ")
    assert await ledger.unfinished(STACK) == [unproven, died]
    await _require_image(ledger)
    for each in (*history, died):
        await _require_journal(ledger, each)
    await _require_goes_on(ledger, died)


async def _require_image(ledger: Ledger) -> None:
    """What it was built from is told once somebody deploys it again."""
    tag = ImageReference(IMAGE.repository, COMMIT.sha)
    assert await ledger.published(tag) == DIGEST
    await ledger.record_published(tag, DIGEST, INPUTS)
    assert await ledger.published_from(IMAGE.repository, INPUTS) == [DIGEST]


def _require_all_fields(live: Release) -> None:
    assert live.request == a_request()
    assert (live.state, live.phase, live.fence) == (State.LIVE, Phase.APPLIED, 1)
    assert (live.commit, live.digest, live.image) == (COMMIT, DIGEST, str(IMAGE))
    assert live.baseline == BASELINE
    assert (live.esc_revision, live.update_version, live.previous_digest) == (8, 42, OTHER)
    assert live.accepted == {DIGEST, OTHER}
    assert live.notes == ("a | note — née",)
    assert live.live_since == live.ended
    assert (live.worker, live.engine) == (None, None)


async def _require_journal(ledger: Ledger, release: Release) -> None:
    entries = await ledger.journal(release.id)
    told = folded(entries)
    assert len(entries) == 1
    assert flaws(Chain(release.id, release.journal, told, entries)) == []
    columns = {"journal_length": 1, "journal_head": entries[0].hash}
    assert release_from({**told, **columns}) == release


async def _require_goes_on(ledger: Ledger, died: Release) -> None:
    """Recovery may take over, and new releases come after the old ones."""
    taken = await ledger.save(replace(died, fence=4), intent("unpin"))
    restored = await ledger.save(taken.to(State.RESTORING).to(State.RESTORED))
    entries = await ledger.journal(died.id)
    assert flaws(Chain(died.id, restored.journal, folded(entries), entries)) == []
    opened = await ledger.open(a_target(), a_request())
    assert (await ledger.history("adapter-prod"))[0] == opened
    assert len(await ledger.identity()) == 32

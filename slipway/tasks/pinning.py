"""Pin: write the image into ESC, compare-and-set, and take it back when it must be undone."""

import logging

from slipway.domain.config import ConfigSnapshot
from slipway.domain.journal import Note, intent, observed
from slipway.domain.release import Baseline, Phase, Release
from slipway.errors import ConfigConflict
from slipway.ports import Ports
from slipway.tasks.policies import once
from slipway.tasks.record import Record

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a pin or its way back is tried when the environment changes under it."""


@once("pin the image in ESC")
async def pin(ports: Ports, record: Record, before: ConfigSnapshot) -> None:
    """Write the release's image over what `before` read, and record the revision that holds it.

    `ConfigConflict` when the environment changed since: then nothing of ours was written.
    """
    image = record.release.image
    if before.value == image:
        log.info("ESC key %s holds %s already", before.key, image)
        await record.note(Phase.PINNING)
        await record.note(Phase.PINNED, esc_revision=before.revision)
        return
    await record.note(Phase.PINNING, _intent("pin", before, image))
    async with record.observing("pin"):
        written = await ports.config.write(before, image)
    log.info("ESC key %s is %s at revision %d", before.key, image, written.revision)
    done = observed("pin", revision=written.revision)
    await record.note(Phase.PINNED, done, esc_revision=written.revision)


@once("take the pin back")
async def unpin(ports: Ports, record: Record, baseline: Baseline) -> int:
    """Write the way back over our own value; the revision to apply.

    Needs no cluster. Safe to do again: a value that is the way back already is left alone; a third
    value, which somebody else wrote, is too, and raises `ConfigConflict`. While the pin's own write
    may still be on its way, a value that is right already is written again: the new revision makes
    the ETag of that write stale. Right is then also what the pin would have replaced, though it is
    not the way back where nothing had applied it.
    """
    key = ports.target.config_key
    attempts = 0
    while True:
        attempts += 1
        now = await ports.config.read(key)
        never_arrived = _never_arrived(record.release, baseline, now)
        back = baseline.config_value if never_arrived else baseline.way_back
        is_back = now.value == back
        if is_back and record.release.phase is not Phase.PINNING:
            log.info("ESC key %s is back at %s already", key, back)
            await record.journal(observed("unpin", revision=now.revision, already=True))
            return now.revision
        if not is_back:
            _require_ours(ports, record.release, now)
        await record.journal(_intent("unpin", now, back))
        try:
            async with record.observing("unpin"):
                written = await ports.config.write(now, back)
        except ConfigConflict as error:
            # Another key was edited, most likely; our own is looked at again.
            if attempts == ATTEMPTS:
                raise
            log.info("%s: looking again", error)
        else:
            log.info("ESC key %s is back at %s, revision %d", key, written.value, written.revision)
            await record.journal(observed("unpin", revision=written.revision))
            return written.revision


def _never_arrived(release: Release, baseline: Baseline, now: ConfigSnapshot) -> bool:
    return release.phase is Phase.PINNING and now.value == baseline.config_value


def _require_ours(ports: Ports, release: Release, now: ConfigSnapshot) -> None:
    if now.value != release.image:
        raise ConfigConflict(
            f"ESC key {now.key} is {now.value!r} as of revision {now.revision} by "
            f"{now.author or 'unknown'}, neither {release.image} nor what stood there before, so "
            "it was left alone: decide which image is right, then slipway deploy or rollback "
            f"{ports.target.name}"
        )


def _intent(step: str, before: ConfigSnapshot, value: str | None) -> Note:
    return intent(
        step, key=str(before.key), value=value, instead_of=before.value, over=before.revision
    )

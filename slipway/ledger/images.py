"""Published images: which digest a tag was pushed with, and built from what, written once."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, update
from sqlalchemy.engine import Connection

from slipway.domain.image import Digest, ImageReference, RecordedTag, Refusal
from slipway.errors import InvalidInput, TagConflict
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import moment
from slipway.ledger.tables import published_image as images
from slipway.ledger.tables import refused_deletion as refusals


class SqlImages(LedgerPart):
    """Tags and their digests."""

    async def published(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.Ledger`."""
        digest = await self._database.scalar(_digest_of(reference))
        return None if digest is None else Digest(digest)

    async def published_from(self, repository: str, build_inputs: str) -> Sequence[Digest]:
        """See `slipway.ports.Ledger`."""
        found = await self._database.rows(built_from(repository, build_inputs))
        return [Digest(row["digest"]) for row in found]

    async def published_tags(self, repository: str) -> Mapping[str, RecordedTag]:
        """See `slipway.ports.Ledger`."""
        wanted = select(images).where(images.c.repository == repository)
        return {
            row["tag"]: RecordedTag(
                Digest(row["digest"]), moment(row["recorded"]), row["build_inputs"]
            )
            for row in await self._database.rows(wanted)
        }

    async def record_published(
        self, reference: ImageReference, digest: Digest, build_inputs: str | None = None
    ) -> None:
        """See `slipway.ports.Ledger`."""
        row = {
            "repository": reference.repository,
            "tag": _tag_of(reference),
            "digest": str(digest),
            "recorded": database_now(),
            "build_inputs": build_inputs,
        }
        told_later = (
            update(images)
            .where(_is(reference), images.c.digest == str(digest), images.c.build_inputs.is_(None))
            .values(build_inputs=build_inputs)
        )

        def record(connection: Connection) -> str | None:
            connection.execute(insert_if_absent(connection.dialect, images, row))
            connection.execute(told_later)
            return connection.scalar(_digest_of(reference))

        recorded = await self._database.transaction(record)
        if recorded != str(digest):
            raise TagConflict(
                f"{reference.repository}:{reference.tag} is recorded as {recorded}, not {digest}: "
                "a tag is written once; find out who moved it before anything is deployed from it"
            )

    async def forget_published(self, reference: ImageReference, digest: Digest) -> None:
        """See `slipway.ports.Ledger`."""
        gone = delete(images).where(_is(reference), images.c.digest == str(digest))
        await self._database.transaction(lambda connection: connection.execute(gone))

    async def put_back_published(self, reference: ImageReference, recorded: RecordedTag) -> None:
        """See `slipway.ports.Ledger`."""
        row = {
            "repository": reference.repository,
            "tag": _tag_of(reference),
            "digest": str(recorded.digest),
            "recorded": recorded.at.timestamp(),
            "build_inputs": recorded.build_inputs,
        }

        def put_back(connection: Connection) -> None:
            connection.execute(insert_if_absent(connection.dialect, images, row))

        await self._database.transaction(put_back)

    async def record_refusal(self, repository: str, digest: Digest, why: str) -> None:
        """See `slipway.ports.Ledger`."""
        told = {"why": why, "refused": database_now()}
        row = {"repository": repository, "digest": str(digest), **told}
        this = and_(refusals.c.repository == repository, refusals.c.digest == str(digest))

        def record(connection: Connection) -> None:
            connection.execute(insert_if_absent(connection.dialect, refusals, row))
            connection.execute(update(refusals).where(this).values(**told))

        await self._database.transaction(record)

    async def refusals(self, repository: str) -> Mapping[Digest, Refusal]:
        """See `slipway.ports.Ledger`."""
        wanted = select(refusals).where(refusals.c.repository == repository)
        return {
            Digest(row["digest"]): Refusal(row["why"], moment(row["refused"]))
            for row in await self._database.rows(wanted)
        }


def _tag_of(reference: ImageReference) -> str:
    if reference.tag is None:
        raise InvalidInput(f"{reference} names no tag, and only tags are recorded: name one")
    return reference.tag


def _is(reference: ImageReference) -> ColumnElement[bool]:
    return and_(images.c.repository == reference.repository, images.c.tag == _tag_of(reference))


def _digest_of(reference: ImageReference) -> Select[tuple[str]]:
    return select(images.c.digest).where(_is(reference))


def built_from(repository: str, build_inputs: str) -> Select[tuple[str]]:
    """The digests, each once however many tags it has."""
    return (
        select(images.c.digest)
        .where(images.c.repository == repository, images.c.build_inputs == build_inputs)
        .group_by(images.c.digest)
        .order_by(func.max(images.c.recorded).desc(), images.c.digest)
    )

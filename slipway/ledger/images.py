"""Published images: which digest a tag was pushed with, written once."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Select, select

from slipway.domain.image import Digest, ImageReference, RecordedTag
from slipway.errors import InvalidInput, TagConflict
from slipway.ledger.dialect import database_now, insert_if_absent
from slipway.ledger.part import LedgerPart
from slipway.ledger.rows import moment
from slipway.ledger.tables import published_image as images


class SqlImages(LedgerPart):
    """Tags and their digests."""

    async def published(self, reference: ImageReference) -> Digest | None:
        """See `slipway.ports.Ledger`."""
        async with self._database.transaction() as connection:
            digest = await connection.scalar(_digest_of(reference))
        return None if digest is None else Digest(digest)

    async def newest_published(self, repository: str, limit: int) -> Sequence[ImageReference]:
        """See `slipway.ports.Ledger`."""
        newest = (
            select(images.c.tag, images.c.digest)
            .where(images.c.repository == repository)
            .order_by(images.c.recorded.desc(), images.c.tag)
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(newest)).all()
        return [ImageReference(repository, row.tag, Digest(row.digest)) for row in rows]

    async def published_tags(self, repository: str) -> Mapping[str, RecordedTag]:
        """See `slipway.ports.Ledger`."""
        columns = (images.c.tag, images.c.digest, images.c.recorded)
        wanted = select(*columns).where(images.c.repository == repository)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(wanted)).all()
        return {tag: RecordedTag(Digest(digest), moment(at)) for tag, digest, at in rows}

    async def record_published(self, reference: ImageReference, digest: Digest) -> None:
        """See `slipway.ports.Ledger`."""
        row = {
            "repository": reference.repository,
            "tag": _tag_of(reference),
            "digest": str(digest),
            "recorded": database_now(),
        }
        async with self._database.transaction() as connection:
            await connection.execute(insert_if_absent(connection.dialect, images, row))
            recorded = await connection.scalar(_digest_of(reference))
        if recorded != str(digest):
            raise TagConflict(
                f"{reference.repository}:{reference.tag} is recorded as {recorded}, not {digest}: "
                "a tag is written once; find out who moved it before anything is deployed from it"
            )


def _tag_of(reference: ImageReference) -> str:
    if reference.tag is None:
        raise InvalidInput(f"{reference} names no tag, and only tags are recorded: name one")
    return reference.tag


def _digest_of(reference: ImageReference) -> Select[tuple[str]]:
    return select(images.c.digest).where(
        images.c.repository == reference.repository, images.c.tag == _tag_of(reference)
    )

"""What was read once is not read again, and is never taken for what the registry still has."""

import os
from pathlib import Path

import pytest

from slipway.clients.kept_documents import KeptDocuments
from slipway.clients.registry_http import digest_of
from slipway.domain.image import ImageReference
from slipway.errors import ImageMissing
from tests.clients.recorded import INDEX, REPOSITORY, Recorded

COMMIT = "1" * 40
AT_COMMIT = ImageReference(REPOSITORY, COMMIT)


def in_folder(folder: Path) -> list[Path]:
    return [each for each in folder.glob("*/*") if each.is_file()]


def with_index(recorded: Recorded) -> str:
    """An index with one platform; the digest of the platform's manifest."""
    child = recorded.add_image(labels={"a": "1"})
    platform = {"os": "linux", "architecture": "amd64"}
    content = {"schemaVersion": 2, "manifests": [{"digest": child, "platform": platform}]}
    recorded.add_manifest(INDEX, content, COMMIT)
    return child


async def test_another_process_asks_only_whether_the_image_is_still_there(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT, {"a": "1"})
    before = await recorded.client(kept=tmp_path).find(AT_COMMIT)
    recorded.requests.clear()

    assert await recorded.client(kept=tmp_path).find(AT_COMMIT) == before

    assert recorded.asked("GET") == []
    assert set(recorded.asked()) == {f"/v2/acme/shop/adapter/manifests/{COMMIT}"}


async def test_a_tag_that_was_moved_is_what_it_is_now(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT, {"a": "1"})
    await recorded.client(kept=tmp_path).find(AT_COMMIT)
    moved = recorded.add_image(COMMIT, {"a": "2"})

    found = await recorded.client(kept=tmp_path).find(AT_COMMIT)

    assert found is not None
    assert str(found.digest) == moved


async def test_what_was_deleted_is_missing_however_well_it_is_known(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT)
    await recorded.client(kept=tmp_path).find(AT_COMMIT)
    recorded.manifests.clear()

    again = recorded.client(kept=tmp_path)

    assert await again.find(AT_COMMIT) is None
    with pytest.raises(ImageMissing):
        await again.probe(AT_COMMIT, again.session.credentials)


async def test_a_platform_whose_part_is_gone_is_not_claimed_from_memory(tmp_path: Path) -> None:
    recorded = Recorded()
    child = with_index(recorded)
    whole = await recorded.client(kept=tmp_path).find(AT_COMMIT)
    assert whole is not None
    assert whole.platforms == {"linux/amd64"}
    del recorded.manifests[child]

    broken = await recorded.client(kept=tmp_path).find(AT_COMMIT)

    assert broken is not None
    assert broken.platforms == frozenset()


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
async def test_a_damaged_or_forged_file_is_one_that_is_not_there(
    tmp_path: Path, damage: bytes
) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT, {"a": "1"})
    before = await recorded.client(kept=tmp_path).find(AT_COMMIT)
    for each in in_folder(tmp_path):
        each.write_bytes(damage)

    assert await recorded.client(kept=tmp_path).find(AT_COMMIT) == before
    assert all(each.read_bytes() != damage for each in in_folder(tmp_path))


async def test_a_folder_that_takes_nothing_costs_only_requests(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT)
    (tmp_path / "file").write_text("no folder")

    assert await recorded.client(kept=tmp_path / "file").find(AT_COMMIT) is not None


async def test_no_other_user_of_the_machine_reads_what_is_kept(tmp_path: Path) -> None:
    recorded = Recorded()
    recorded.add_image(COMMIT)
    await recorded.client(kept=tmp_path).find(AT_COMMIT)

    assert {each.stat().st_mode & 0o077 for each in in_folder(tmp_path)} == {0}


async def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    kept = KeptDocuments(tmp_path)
    bodies = [str(number).encode() for number in range(5)]
    for age, body in enumerate(bodies):
        kept.keep(digest_of(body), body)
        [new] = [each for each in in_folder(tmp_path) if each.read_bytes() == body]
        os.utime(new, (age, age))

    kept.trim(2)

    there = [body for body in bodies if kept.read(digest_of(body)) is not None]
    assert there == bodies[-2:]

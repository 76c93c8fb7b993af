"""The running example, as the tests of whole releases use it."""

from pathlib import Path

import pytest

from tests.sandbox.audit.keyboard import Keyboard, make_keyboard
from tests.sandbox.releases.conftest import example_box, ledger_at, world
from tests.sandbox.releases.real_world import RealWorld

__all__ = ["example_box", "keyboard", "ledger_at", "world"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What leaves a revision of ESC that was secret comes last: nothing can be pruned after it."""
    items.sort(key=lambda each: each.name.startswith("test_a_key_that_no_release_can_replace"))


@pytest.fixture
def keyboard(world: RealWorld, tmp_path: Path) -> Keyboard:
    """Somebody who types what a finding prints."""
    return make_keyboard(world, tmp_path)

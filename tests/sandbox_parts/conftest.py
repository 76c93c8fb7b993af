"""Parts of the sandbox, in process."""

from pathlib import Path

import pytest

from tests.sandbox_parts.cloud import CloudInProcess


@pytest.fixture
def cloud(tmp_path: Path) -> CloudInProcess:
    return CloudInProcess(tmp_path / "cloud")

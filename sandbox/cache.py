"""What is made once a machine, and shared by every clone and sandbox of it."""

import os
from pathlib import Path


def folder() -> Path:
    """Where it lies: `$XDG_CACHE_HOME/slipway`, by default in `~/.cache`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "slipway"

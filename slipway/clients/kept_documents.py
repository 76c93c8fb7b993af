"""A folder of documents by their digest, which outlives the process: what is read once is known.

A document never changes under its digest, and whatever is read here is checked against it: a file
that was damaged or forged is one that is not there. That a registry still has it, no file can tell.
"""

import contextlib
import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from slipway.clients.registry_http import digest_of
from slipway.domain.image import Digest

log = logging.getLogger(__name__)

MOST_KEPT = 20_000
"""Documents of one to five kilobytes; the oldest go first."""


@dataclass(slots=True)
class KeptDocuments:
    """The folder. It only saves time: where it can't be read or written, the registry is asked."""

    folder: Path
    _written: int = field(default=0, repr=False)

    def read(self, digest: Digest) -> bytes | None:
        """The document, if it is here and whole."""
        try:
            body = self._path(digest).read_bytes()
        except OSError:
            return None
        return body if digest_of(body) == digest else None

    def keep(self, digest: Digest, body: bytes) -> None:
        """Put a document here, whole or not at all."""
        path = self._path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as writing:
                writing.write(body)
            Path(writing.name).replace(path)
        except OSError as error:
            log.debug("%s is not kept: %s", digest, error)
        else:
            self._written += 1

    def trim(self, most: int = MOST_KEPT) -> None:
        """Let the oldest go where there are too many, if this process has added any."""
        if not self._written:
            return
        self._written = 0
        found = []
        for each in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process trims too
                found.append((each.stat().st_mtime, each))
        for _, each in sorted(found)[: max(len(found) - most, 0)]:
            with contextlib.suppress(OSError):
                each.unlink()

    def _path(self, digest: Digest) -> Path:
        _, _, name = digest.value.partition(":")
        return self.folder / name[:2] / name

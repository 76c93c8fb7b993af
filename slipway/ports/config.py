"""ESC: the environment that holds the image references."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from slipway.domain.config import ConfigHistory, ConfigRevision, ConfigSnapshot
from slipway.domain.target import ConfigKey


class ConfigStore(Protocol):
    """The Pulumi ESC environment that holds the image references."""

    async def read(self, key: ConfigKey) -> ConfigSnapshot:
        """The key at the environment's latest revision, in whatever form it stands there."""

    async def write(self, snapshot: ConfigSnapshot, value: str | None) -> ConfigSnapshot:
        """Replace exactly this key's value (None removes a key that `snapshot` lacked before).

        Compare-and-set against the snapshot's ETag: `ConfigConflict` when the environment changed
        since, `ConfigRejected` when ESC refuses the definition, `ConfigKeyUnusable` or
        `AccessDenied`: after these nothing was written. Any other error leaves open whether it was,
        `ConfigMismatch` (it can't be read back, or differs) among them. Every other byte of the
        definition stays as it was. A lost answer is looked up, never sent twice. An equal value
        makes a revision too: a write that is still on its way finds its ETag stale.
        """

    async def history(self, key: ConfigKey) -> ConfigHistory:
        """What the key, and the environment around it, had in any revision that ESC still has.

        What an import or another value said of the key is told as it is today, and so is what
        imports name; nothing is decrypted: `ConfigKeyUnusable` where the key was secret, or it
        can't be told.
        """

    async def revisions_since(self, key: ConfigKey, revision: int) -> Sequence[ConfigRevision]:
        """The revisions after `revision`, newest first: who changed the environment, and when."""

    async def plain_values(self, key: ConfigKey) -> Mapping[str, str]:
        """Every key of `pulumiConfig` in the key's environment that is a plain string, with it.

        As the environment's own latest revision has it; what it imports is another's.
        """

    async def set_in(self, snapshot: ConfigSnapshot) -> ConfigRevision | None:
        """The revision that gave the key the plain text which it has in `snapshot`.

        Of every revision since then the key has stood so. None where that is too long ago to be
        looked for, or the key has no plain text.
        """

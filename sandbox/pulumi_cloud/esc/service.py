"""What can be done with environments: update, check, open; imports and secrets included."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.pulumi_cloud.crypto import Vault
from sandbox.pulumi_cloud.errors import ApiError
from sandbox.pulumi_cloud.esc import secrets
from sandbox.pulumi_cloud.esc.environments import LATEST, Environment, Environments, Revision
from sandbox.pulumi_cloud.esc.evaluator import Evaluation, Loaded, Unloadable
from sandbox.pulumi_cloud.esc.exprs import expressions
from sandbox.pulumi_cloud.esc.scope import Decrypt
from sandbox.pulumi_cloud.esc.sessions import Sessions

ANONYMOUS = "<yaml>"
Overrides = Mapping[str, str]


@dataclass(frozen=True)
class Subject:
    """A definition to evaluate: an environment's own, or one without a name."""

    organization: str
    definition: bytes
    environment: Environment | None = None
    overrides: Overrides = field(default_factory=dict)

    def name(self) -> str:
        """What complaints call it."""
        return self.environment.label() if self.environment else ANONYMOUS


@dataclass(frozen=True)
class Esc:
    """ESC over a store of environments."""

    environments: Environments
    sessions: Sessions
    vault: Vault

    def update(self, environment: Environment, definition: bytes, login: str) -> Revision:
        """A new revision, if the definition holds together; its plain secrets are encrypted."""
        self._evaluated(Subject(environment.organization, definition, environment), reveal=True)
        return environment.append(self._encrypted(environment, definition), login)

    def check(self, subject: Subject, *, show_secrets: bool) -> dict[str, Any]:
        """A definition's expressions and properties; secrets stay unknown unless asked for."""
        evaluation, properties = self._evaluated(subject, reveal=show_secrets)
        answer = {"properties": properties, "schema": {}}
        if evaluation.root is not None:
            answer["exprs"] = expressions(evaluation.root)
        return answer

    def open(self, subject: Subject, seconds: float) -> str:
        """A session that holds the evaluated environment for a while."""
        _, properties = self._evaluated(subject, reveal=True)
        return self.sessions.keep({"properties": properties}, seconds)

    def decrypted(self, environment: Environment, revision: Revision) -> bytes:
        """A revision's definition with its secrets in plain text."""
        decrypt = self._decrypter(environment)
        try:
            return secrets.decrypted(revision.definition, decrypt)
        except ValueError as error:
            raise ApiError(400, f"Bad Request: {error}") from error

    def _evaluated(self, subject: Subject, *, reveal: bool) -> tuple[Evaluation, dict[str, Any]]:
        """The evaluation and its properties, or a refusal with diagnostics."""

        def load(imported: str) -> Loaded:
            return self._load(subject, imported, reveal=reveal)

        evaluation = Evaluation(load)
        own = subject.environment
        decrypt = self._decrypter(own) if reveal and own else None
        value = evaluation.run(subject.name(), Loaded(subject.definition, decrypt))
        if evaluation.failed():
            message = "Bad Request: the environment definition is not valid"
            raise ApiError(400, message, evaluation.diagnostics)
        properties: dict[str, Any] = value.to_json()["value"]
        return evaluation, properties

    def _load(self, subject: Subject, imported: str, *, reveal: bool) -> Loaded:
        """An imported environment, perhaps at another revision than the import says."""
        reference = subject.overrides.get(imported, imported)
        path, _, version = reference.partition("@")
        project, _, name = path.rpartition("/")
        try:
            environment = self.environments.get(subject.organization, project or "default", name)
            revision = environment.revision(version or LATEST)
        except ApiError as error:
            raise Unloadable(error.message.removeprefix("Not Found: ")) from error
        return Loaded(revision.definition, self._decrypter(environment) if reveal else None)

    def _encrypted(self, environment: Environment, definition: bytes) -> bytes:
        """The definition without plain secrets."""
        purpose = _purpose(environment)

        def encrypt(plain: str) -> str:
            return secrets.sealed(self.vault.encrypt(plain.encode(), purpose))

        return secrets.encrypted(definition, encrypt)

    def _decrypter(self, environment: Environment) -> Decrypt:
        """Reads the secrets of one environment and of no other."""
        purpose = _purpose(environment)

        def decrypt(ciphertext: str) -> str:
            try:
                return self.vault.decrypt(secrets.unsealed(ciphertext), purpose).decode()
            except ApiError as error:
                raise ValueError(error.message) from error

        return decrypt


def _purpose(environment: Environment) -> str:
    """What an environment's secrets are encrypted for."""
    return f"environment {environment.record()['id']}"

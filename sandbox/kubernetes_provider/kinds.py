"""The kinds that programs may use here, and what the API server and the CLI must know of each."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes_provider import VERSION

ANY = {"$ref": "pulumi.json#/Any"}


@dataclass(frozen=True)
class Kind:
    """One kind of the Kubernetes API."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True
    properties: tuple[str, ...] = ("spec",)
    replace_on: tuple[str, ...] = ()
    """Paths beside name and namespace whose change needs a new object."""

    @property
    def token(self) -> str:
        """Pulumi's type: `kubernetes:apps/v1:Deployment`."""
        group = self.api_version if "/" in self.api_version else f"core/{self.api_version}"
        return f"kubernetes:{group}:{self.name}"

    def path(self, namespace: str, name: str) -> str:
        """The object's path in the API."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        room = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{self.api_version}{room}/{self.plural}/{name}"


KINDS = {
    kind.token: kind
    for kind in (
        Kind("v1", "Namespace", "namespaces", namespaced=False),
        Kind("v1", "Secret", "secrets", properties=("data", "stringData", "type", "immutable")),
        Kind("v1", "ConfigMap", "configmaps", properties=("data", "binaryData", "immutable")),
        Kind("v1", "Service", "services"),
        Kind("v1", "ServiceAccount", "serviceaccounts", properties=("imagePullSecrets", "secrets")),
        Kind("apps/v1", "Deployment", "deployments", replace_on=("spec.selector",)),
    )
}


def kind_of(urn: str) -> Kind:
    """The kind of a resource, from the type in its URN."""
    token = urn.split("::")[2].rpartition("$")[2]
    if token not in KINDS:
        raise ValueError(f"{token} is not one of {', '.join(sorted(KINDS))}")
    return KINDS[token]


def schema() -> str:
    """The package schema, as far as the YAML language host asks: types by name, the rest open."""
    return json.dumps(
        {
            "name": "kubernetes",
            "version": VERSION,
            "provider": {"inputProperties": {"kubeconfig": {"type": "string"}}},
            "resources": {token: _resource(kind) for token, kind in KINDS.items()},
        }
    )


def _resource(kind: Kind) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": ANY,
        **dict.fromkeys(kind.properties, ANY),
    }
    return {
        "type": "object",
        "properties": {**properties, "status": ANY},
        "inputProperties": properties,
    }

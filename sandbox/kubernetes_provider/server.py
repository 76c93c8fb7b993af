"""The provider's gRPC service."""

import random
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2

from sandbox.kubernetes_provider import VERSION
from sandbox.kubernetes_provider.api import ApiError, Cluster, InitFailed, Object
from sandbox.kubernetes_provider.kinds import Kind, kind_of, schema
from sandbox.kubernetes_provider.stubs import plugin, provider, provider_grpc, status
from sandbox.kubernetes_provider.values import differences, from_struct, project, to_struct

AWAIT = 600.0
"""Seconds that a Deployment may take, as the real provider's default."""
KINDS_OF_DIFF = {"add": 0, "delete": 2, "update": 4}
"""PropertyDiff.Kind: ADD, DELETE, UPDATE; one more is the same with a replacement."""


class Provider(provider_grpc.ResourceProviderServicer):  # type: ignore[misc] # stubs are untyped here
    """Answers the engine."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._cluster = Cluster()
        self._stop = stop

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """Nothing to agree on."""
        return provider.ProviderHandshakeResponse(
            accept_secrets=False, accept_resources=False, accept_outputs=False
        )

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """The engine's address is not needed."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """The version whose behaviour this follows."""
        return plugin.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """The package schema."""
        return provider.GetSchemaResponse(schema=schema())

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """Any configuration will do; the cluster is the kubeconfig's."""
        return provider.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """A changed configuration never replaces anything."""
        return provider.DiffResponse(changes=provider.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """Plain values in and out: the engine itself marks as secret what came from a secret."""
        return provider.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """Fill in kind, namespace and, without one, a generated name that stays."""
        kind = kind_of(request.urn)
        wanted, before = from_struct(request.news), from_struct(request.olds)
        meta = {**(wanted.get("metadata") or {})}
        if "name" not in meta:
            old_name = (before.get("metadata") or {}).get("name")
            meta["name"] = old_name or _generated_name(request.urn, bytes(request.randomSeed))
        if kind.namespaced:
            meta.setdefault("namespace", "default")
        wanted |= {"apiVersion": kind.api_version, "kind": kind.name, "metadata": meta}
        return provider.CheckResponse(inputs=to_struct(wanted))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """Compare what was asked for then and now; the cluster is not asked."""
        kind = kind_of(request.urn)
        found = dict(differences(from_struct(request.old_inputs), from_struct(request.news)))
        keys = ("metadata.name", "metadata.namespace", *kind.replace_on)
        replaces = [path for path in found if path.startswith(keys)]
        detailed = {
            path: provider.PropertyDiff(
                kind=KINDS_OF_DIFF[what] + (path in replaces), inputDiff=True
            )
            for path, what in found.items()
        }
        some = provider.DiffResponse.DIFF_SOME if found else provider.DiffResponse.DIFF_NONE
        return provider.DiffResponse(
            changes=some,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Make the object and wait until it is ready."""
        wanted = from_struct(request.properties)
        name = _identity(kind_of(request.urn), wanted)
        if request.preview:
            return provider.CreateResponse(id=name, properties=to_struct(wanted))
        live = self._apply(request, wanted, name, context)
        return provider.CreateResponse(id=name, properties=to_struct(live))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Change the object and wait until it is ready."""
        wanted = from_struct(request.news)
        if request.preview:
            return provider.UpdateResponse(properties=to_struct(wanted))
        live = self._apply(request, wanted, request.id, context)
        return provider.UpdateResponse(properties=to_struct(live))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """The live object, and what was asked for as it is now; nothing when it is gone."""
        kind = kind_of(request.urn)
        asked = from_struct(request.inputs)
        live = self._guarded(context, lambda: self._cluster.read(kind, *_names(request.id)))
        if live is None:
            return provider.ReadResponse()
        inputs = project(asked, live) if asked else _without_server_fields(live)
        if "stringData" in asked:  # write-only: the server shows it as data
            inputs["stringData"] = asked["stringData"]
        return provider.ReadResponse(
            id=request.id, inputs=to_struct(inputs), properties=to_struct(_outputs(kind, live))
        )

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Delete the object and wait until it is gone."""
        kind = kind_of(request.urn)
        self._guarded(context, lambda: self._cluster.delete(kind, *_names(request.id)))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - gRPC's name
        """End every wait; the engine checkpoints what there is."""
        self._cluster.cancelled.set()
        return empty_pb2.Empty()

    def _apply(self, request: Any, wanted: Object, name: str, context: Any) -> Object:
        kind = kind_of(request.urn)

        def work() -> Object:
            live = self._cluster.apply(kind, wanted)
            return self._cluster.wait_until_ready(kind, live, request.timeout or AWAIT)

        try:
            return _outputs(kind, self._guarded(context, work))
        except InitFailed as failed:
            _abort_partially(context, name, wanted, _outputs(kind, failed.live), failed)
            raise  # unreachable: abort raises

    def _guarded(self, context: Any, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except ApiError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise  # unreachable: abort raises


def _abort_partially(
    context: Any, name: str, inputs: Object, outputs: Object, failed: InitFailed
) -> None:
    """Tell the engine that the object exists but is not ready: it keeps both in its state."""
    detail = provider.ErrorResourceInitFailed(
        id=name,
        properties=to_struct(outputs),
        reasons=failed.reasons,
        inputs=to_struct(inputs),
    )
    message = "resource was partially created: the resource did not become ready"
    packed = any_pb2.Any()
    packed.Pack(detail)
    rich = status.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", rich.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, message)


def _outputs(kind: Kind, live: Object) -> Object:
    """The live object as state; a Secret's content stays out, it is in the inputs already."""
    shown = {name: value for name, value in live.items() if value is not None}
    if kind.name == "Secret":
        shown = {name: shown[name] for name in shown if name not in {"data", "stringData"}}
    meta = {name: value for name, value in shown["metadata"].items() if name != "managedFields"}
    return {**shown, "metadata": meta}


def _without_server_fields(live: Object) -> Object:
    meta = {
        name: live["metadata"][name] for name in ("name", "namespace") if name in live["metadata"]
    }
    return {**{name: live[name] for name in live if name != "status"}, "metadata": meta}


def _identity(kind: Kind, wanted: Object) -> str:
    meta = wanted["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if kind.namespaced else str(meta["name"])


def _names(identity: str) -> tuple[str, str]:
    namespace, _, name = identity.rpartition("/")
    return namespace, name


def _generated_name(urn: str, seed: bytes) -> str:
    """The resource's name with eight characters that the engine's seed decides."""
    chooser = random.Random(seed)  # noqa: S311 - a name, not a secret
    ending = "".join(chooser.choices("0123456789abcdef", k=8))
    return f"{urn.rpartition('::')[2]}-{ending}"

"""A resource provider that does what its script says, and writes down every call.

Started like any plugin: `provider.py HOME ENGINE_ADDRESS`; the first line of its output is its port. A thing has any
properties; those whose name starts with `key` need a replacement, `autoname` asks for a random `label`, `dbr` wishes
delete before replace, and the output `stamp` is known only once the thing exists. The script (`script.json`) holds
`settings` (what Configure and Handshake answer) and `rules`, each matched by call, and if given by name and preview.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from enginelab.protocol import SECRET, SIGNATURE, UNKNOWN, load, plain
from enginelab.world import World

provider_pb2 = load("provider_pb2")
plugin_pb2 = load("plugin_pb2")
status_pb2 = load("status_pb2")
services = load("provider_pb2_grpc")

COMPUTED = ("stamp",)
SOME, NONE = 2, 1


class ScriptedProvider(services.ResourceProviderServicer):  # type: ignore[misc]  # generated base class
    """One provider process."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.record(
            call="Start",
            phase="begin",
            name="",
            project=os.environ.get("PULUMI_PROJECT"),
            config=os.environ.get("PULUMI_CONFIG"),
            directory=str(Path.cwd()),
            hears_interrupts=signal.getsignal(signal.SIGINT) != signal.SIG_IGN,
        )

    # Life of the process

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self._begin("Handshake", "", context, request, address=request.engine_address)
        settings = self._settings()
        if not settings.get("handshake"):
            return self._unimplemented(context)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=settings.get("acceptSecrets", False),
            accept_resources=settings.get("acceptResources", False),
        )

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        news = plain(request.news)
        self._begin("CheckConfig", request.urn, context, request, olds=plain(request.olds), news=news)
        return provider_pb2.CheckResponse(inputs=_struct(news))

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        rule = self._begin("DiffConfig", request.urn, context, request, **_diff_arguments(request))
        return _difference(rule, plain(request.old_inputs), plain(request.news))

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self._begin(
            "Configure",
            request.urn,
            context,
            request,
            variables=dict(request.variables),
            args=plain(request.args),
            accepts_secrets=request.acceptSecrets,
        )
        settings = self._settings()
        return provider_pb2.ConfigureResponse(
            acceptSecrets=settings.get("acceptSecrets", False),
            acceptResources=settings.get("acceptResources", False),
            supportsPreview=settings.get("supportsPreview", True),
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self._begin("GetPluginInfo", "", context, request)
        return plugin_pb2.PluginInfo(version="1.0.0")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self._begin("Cancel", "", context, request)
        return empty_pb2.Empty()

    # Life of a thing

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        olds, news = plain(request.olds), plain(request.news)
        seed = request.randomSeed
        rule = self._begin("Check", request.urn, context, request, olds=olds, news=news, seed_bytes=len(seed))
        if "autoname" in news and "label" not in news:
            news["label"] = olds.get("label") or f"{_name(request.urn)}-{seed.hex()[:7]}"
        failures = [
            provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in rule.get("failures", {}).items()
        ]
        return provider_pb2.CheckResponse(inputs=_struct(news), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        rule = self._begin("Diff", request.urn, context, request, **_diff_arguments(request))
        return _difference(rule, plain(request.old_inputs), plain(request.news))

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        properties = plain(request.properties)
        arguments = {"news": properties, "preview": request.preview, "timeout": request.timeout}
        rule = self._begin("Create", request.urn, context, request, **arguments)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_struct({**properties, "stamp": UNKNOWN}))
        identity = self.world.create(_name(request.urn), properties)
        outputs = {**properties, "stamp": f"stamp of {identity}", **rule.get("outputs", {})}
        self.world.put(identity, outputs)
        self._partial(rule, context, identity, outputs)
        self.world.record(call="Create", phase="end", name=_name(request.urn), id=identity)
        return provider_pb2.CreateResponse(id=rule.get("id", identity), properties=_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        known, inputs = plain(request.properties), plain(request.inputs)
        rule = self._begin("Read", request.urn, context, request, olds=known, inputs=inputs)
        found = self.world.get(request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        outputs = {**found, **rule.get("outputs", {})}
        inputs = {key: value for key, value in outputs.items() if key not in COMPUTED}
        self._partial(rule, context, request.id, outputs)
        reply = provider_pb2.ReadResponse(id=request.id, properties=_struct(outputs))
        if not rule.get("without_inputs"):
            reply.inputs.CopyFrom(_struct(inputs))
        return reply

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        olds, news = plain(request.olds), plain(request.news)
        arguments = {**_diff_arguments(request), "preview": request.preview, "timeout": request.timeout}
        rule = self._begin("Update", request.urn, context, request, **arguments)
        outputs = {**news, "stamp": olds.get("stamp", UNKNOWN), **rule.get("outputs", {})}
        if not request.preview:
            self.world.put(request.id, outputs)
            self._partial(rule, context, request.id, outputs)
            self.world.record(call="Update", phase="end", name=_name(request.urn), id=request.id)
        return provider_pb2.UpdateResponse(properties=_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        arguments = {"olds": plain(request.properties), "old_inputs": plain(request.old_inputs)}
        self._begin("Delete", request.urn, context, request, **arguments, timeout=request.timeout)
        self.world.put(request.id, None)
        self.world.record(call="Delete", phase="end", name=_name(request.urn), id=request.id)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        arguments = plain(request.args)
        self._begin("Invoke", "", context, request, token=request.tok, args=arguments)
        return provider_pb2.InvokeResponse(**{"return": _struct({**arguments, "answer": "42"})})

    # Script

    def _settings(self) -> dict[str, Any]:
        return self.world.script().get("settings", {})

    def _begin(self, call: str, urn: str, context: Any, request: Any, **details: object) -> dict[str, Any]:
        """Record the call, then do what its rule says before it: wait, sleep, fail. Gives the rule, or `{}`."""
        name = _name(urn)
        identity = getattr(request, "id", "")
        self.world.record(call=call, phase="begin", name=name, urn=urn, id=identity, **details)
        rule = self._rule(call, name, identity, preview=bool(details.get("preview")))
        if "after" in rule:
            self.world.wait_for(rule["after"])
        if "gate" in rule:
            self.world.wait_at(rule["gate"])
        time.sleep(rule.get("delay_s", 0))
        if rule.get("unimplemented"):
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{call} is not implemented")
        if "error" in rule:
            context.abort(grpc.StatusCode.UNKNOWN, rule["error"])
        return rule

    def _rule(self, call: str, name: str, identity: str, *, preview: bool) -> dict[str, Any]:
        for rule in self.world.script().get("rules", []):
            wanted = {"name": name, "id": identity}
            named = all(rule.get(key, value) == value for key, value in wanted.items())
            if rule["call"] == call and named and rule.get("preview", False) == preview:
                return rule
        return {}

    def _partial(self, rule: dict[str, Any], context: Any, identity: str, outputs: dict[str, Any]) -> None:
        """End the call as a partial failure: the thing exists, but is not well."""
        if "partial" not in rule:
            return
        detail = any_pb2.Any()
        inputs = {key: value for key, value in outputs.items() if key not in COMPUTED}
        failure = {"id": identity, "properties": _struct(outputs), "inputs": _struct(inputs)}
        detail.Pack(provider_pb2.ErrorResourceInitFailed(reasons=rule["partial"], **failure))
        message = "; ".join(rule["partial"])
        status = status_pb2.Status(code=2, message=message, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, message)

    def _unimplemented(self, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not implemented")


def _diff_arguments(request: Any) -> dict[str, Any]:
    return {
        "olds": plain(request.olds),
        "old_inputs": plain(request.old_inputs),
        "news": plain(request.news),
        "ignored": list(request.ignoreChanges),
    }


def _difference(rule: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> Any:
    changed = sorted(key for key in old.keys() | new.keys() if _bare(old.get(key)) != _bare(new.get(key)))
    detail = {
        key: provider_pb2.PropertyDiff(kind=kind, inputDiff=True) for key, kind in rule.get("detailed", {}).items()
    }
    return provider_pb2.DiffResponse(
        changes=rule.get("changes", SOME if changed else NONE),
        replaces=rule.get("replaces", [key for key in changed if key.startswith("key")]),
        diffs=rule.get("diffs", changed),
        deleteBeforeReplace=bool(new.get("dbr")),
        detailedDiff=detail,
        hasDetailedDiff=bool(detail),
    )


def _bare(value: Any) -> Any:
    """Take the secret marks off."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _bare(value["value"])
        return {key: _bare(item) for key, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _name(urn: str) -> str:
    return urn.split("::", 3)[3] if urn else ""


def _struct(content: dict[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(content)
    return struct


def main(home: Path) -> None:
    """Serve until a signal comes, and then leave at once, even from a gate."""
    limit = [("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", 400 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=limit)
    services.add_ResourceProviderServicer_to_server(ScriptedProvider(World(home)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stop = threading.Event()
    if not World(home).script().get("settings", {}).get("stubborn"):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stop.wait()
    server.stop(0)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

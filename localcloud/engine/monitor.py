"""The services the engine offers: ResourceMonitor to the program, Engine to the program and the providers.

Each request runs in a thread of its own and is answered when its step is done. When the run has come to an end,
whoever still waits is answered UNAVAILABLE, which the SDK turns into the program's end.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2

from localcloud.engine import protocol, wire
from localcloud.engine import urn as urns
from localcloud.engine.backend import ORGANIZATION
from localcloud.engine.control import Stopped
from localcloud.engine.errors import EngineError
from localcloud.engine.goal import goal_from_request
from localcloud.engine.plugins import ProviderError
from localcloud.engine.protocol import engine_pb2, resource_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.engine.control import Control
    from localcloud.engine.events import Severity
    from localcloud.engine.reading import Reader
    from localcloud.engine.registration import Registrar
    from localcloud.engine.reporter import Reporter
    from localcloud.engine.run import Run
    from localcloud.engine.values import PropertyMap

FEATURES = {
    "secrets": 0,
    "resourceReferences": 1,
    "aliasSpecs": 3,
    "replacementTrigger": 4,
    "deletedWith": 5,
    "invokeDependsOn": 14,
    "invokeParent": 15,
}
"""What is announced to the SDK; whatever is not makes it refuse the option by itself."""
GET_RESOURCE = "pulumi:pulumi:getResource"
SPARE_THREADS = 16
STOP_PATIENCE_S = 1.0


class EngineService:
    """The Engine service. A logged error is shown and no more: whoever logs it fails by other means, if at all."""

    def __init__(self, reporter: Reporter, control: Control) -> None:
        self._reporter = reporter
        self._control = control
        self._severities: dict[int, Severity] = {1: "info", 2: "warning", 3: "error"}

    def methods(self) -> dict[str, Callable[[Any, Any], Any]]:
        """Return what is served."""
        return {"Log": self._log, "RequirePulumiVersion": self._accept_version}

    def _log(self, request: Any, _context: Any) -> Any:
        severity = self._severities.get(request.severity)
        is_aftermath = self._control.is_stopping and not request.urn
        if severity is not None and not request.ephemeral and not is_aftermath:
            self._reporter.say(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def _accept_version(self, _request: Any, _context: Any) -> Any:
        return engine_pb2.RequirePulumiVersionResponse()


class MonitorService:
    """The ResourceMonitor service of one run: from `open` on it answers what asks for resources.

    What the engine can do it tells before: with that known, a program declares while the world is still being read.
    """

    _registrar: Registrar
    _reader: Reader

    def __init__(self, run: Run) -> None:
        self._run = run
        self._opened = threading.Event()
        self._with_outputs: set[str] = set()
        self.stack_outputs: PropertyMap | None = None

    def open(self, run: Run, registrar: Registrar, reader: Reader) -> None:
        """Begin to answer: the state that the program is held against is known now."""
        self._run, self._registrar, self._reader = run, registrar, reader
        self._opened.set()

    def methods(self) -> dict[str, Callable[[Any, Any], Any]]:
        """Return what is served."""
        told = {"GetDeploymentInfo": self._deployment_info, "SupportsFeature": self._supports_feature}
        served = {
            "RegisterResource": self._register,
            "RegisterResourceOutputs": self._register_outputs,
            "ReadResource": self._read,
            "Invoke": self._invoke,
            "SignalAndWaitForShutdown": self._wait_for_end,
        }
        waiting = {name: self._guarded(self._when_open(method)) for name, method in served.items()}
        return {**waiting, **{name: self._guarded(method) for name, method in told.items()}}

    def _when_open(self, method: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            self._opened.wait()
            return method(request)

        return call

    def _guarded(self, method: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
        """Answer UNAVAILABLE when the run has ended, and report whatever goes wrong in here."""

        def call(request: Any, context: Any) -> Any:
            try:
                return method(request)
            except Stopped:
                context.abort(grpc.StatusCode.UNAVAILABLE, "The run has come to an end")
            except (EngineError, ProviderError, ValueError) as error:
                self._run.fail(str(error))
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            except (TypeError, KeyError, AttributeError, OSError) as error:
                self._run.fail(f"The engine failed: {type(error).__name__}: {error}")
                raise

        return call

    def _deployment_info(self, _request: Any) -> Any:
        configuration = self._run.configuration
        return resource_pb2.DeploymentInfo(
            project=self._run.project,
            stack=self._run.stack,
            organization=ORGANIZATION,
            config=dict(configuration.values),
            configSecretKeys=sorted(configuration.secret_keys),
            dryRun=self._run.preview,
            parallel=self._run.parallel,
            supportedFeatures=list(FEATURES.values()),
        )

    def _supports_feature(self, request: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in FEATURES)

    def _register(self, request: Any) -> Any:
        goal = goal_from_request(request)
        entry = self._registrar.register(goal)
        answer = resource_pb2.RegisterResourceResponse(urn=entry.urn, id=entry.id)
        if goal.custom:
            answer.object.CopyFrom(_struct_for(request, entry.outputs))
        else:
            answer.object.SetInParent()
        return answer

    def _register_outputs(self, request: Any) -> Any:
        entry = self._registrar.entries.get(request.urn)
        if entry is None:
            raise ValueError(f"Outputs were given for {request.urn}, which has not been registered")
        if request.urn in self._with_outputs:
            raise ValueError(f"Outputs were given twice for {request.urn}")
        self._with_outputs.add(request.urn)
        outputs = wire.from_struct(request.outputs)
        self._run.reporter.hide(outputs)
        if entry.type == urns.STACK_TYPE:
            self.stack_outputs = outputs
        else:
            self._run.journal.set_outputs(entry, outputs)
        return empty_pb2.Empty()

    def _read(self, request: Any) -> Any:
        entry = self._reader.read(request)
        return resource_pb2.ReadResourceResponse(
            urn=entry.urn, id=entry.id, properties=_struct_for(request, entry.outputs)
        )

    def _invoke(self, request: Any) -> Any:
        self._run.control.ensure_going()
        args = wire.from_struct(request.args)
        if request.tok == GET_RESOURCE:
            return _invoke_answer(self._known_resource(str(args.get("urn"))))
        reference = self._registrar.reference_for(
            request.tok, request.provider, request.parent, request.version, request.pluginDownloadURL
        )
        client = self._run.providers.client(reference)
        waits = any(not self._is_known(urn) for urn in request.dependsOn)
        if waits or not client.can.is_configured:
            return resource_pb2.ResourceInvokeResponse(unknown=True)
        result, failures = client.invoke(request.tok, args)
        self._run.reporter.hide(result)
        if failures:
            return resource_pb2.ResourceInvokeResponse(
                failures=[{"property": failure.property, "reason": failure.reason} for failure in failures]
            )
        return _invoke_answer(result)

    def _is_known(self, urn: str) -> bool:
        entry = self._registrar.entries.get(urn)
        return entry is not None and (not entry.custom or bool(entry.id))

    def _known_resource(self, urn: str) -> PropertyMap:
        entry = self._registrar.entries.get(urn)
        if entry is None:
            raise ProviderError(f"The resource {urn} has not been registered")
        return {"urn": urn, "id": entry.id, "state": entry.outputs}

    def _wait_for_end(self, _request: Any) -> Any:
        self._run.control.ensure_going()
        self._run.control.program_called_done()
        self._run.control.wait_for_finish()
        return empty_pb2.Empty()


def _struct_for(request: Any, outputs: Mapping[str, Any]) -> Any:
    return wire.to_struct(outputs, secrets=request.acceptSecrets, references=request.acceptResources)


def _invoke_answer(result: PropertyMap) -> Any:
    return resource_pb2.ResourceInvokeResponse(**{"return": wire.to_struct(result)})


class Server:
    """The gRPC server that both services share."""

    def __init__(self, port: int, parallel: int) -> None:
        """Bind the port that was reserved."""
        self._pool = ThreadPoolExecutor(max_workers=4 * parallel + SPARE_THREADS)
        self._server = grpc.server(self._pool, options=[*protocol.OPTIONS, ("grpc.so_reuseport", 1)])
        self._server.add_insecure_port(f"127.0.0.1:{port}")

    def serve_engine(self, service: EngineService) -> None:
        """Add the Engine service."""
        self._server.add_generic_rpc_handlers((protocol.handlers(protocol.ENGINE, service.methods()),))

    def serve_monitor(self, service: MonitorService) -> None:
        """Add the ResourceMonitor service."""
        self._server.add_generic_rpc_handlers((protocol.handlers(protocol.RESOURCE_MONITOR, service.methods()),))

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """End; calls that still run are cut off after a moment."""
        self._server.stop(STOP_PATIENCE_S).wait()
        self._pool.shutdown(wait=False, cancel_futures=True)

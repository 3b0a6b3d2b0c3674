"""The process that starts all others of a run: plugins by command line, programs and dynamic providers by forking.

Started by file path as `python -P -u launcher.py <descriptor>`, it imports nothing but the standard library and, when
it first has to fork, Pulumi; so it runs in any virtual environment that can run Pulumi programs. Requests come on a
Unix socket, each with two descriptors for the child's stdout and stderr; answers tell pids and exit statuses. Forking
happens before any gRPC channel exists, which is what makes it safe. When the engine's end of the socket closes, however
the engine ended, all children are interrupted, and killed if they do not go.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LENGTH_BYTES = 8
STOP_PATIENCE_S = 5.0
SDK = ("pulumi.runtime", "pulumi.dynamic")
PROVIDER_THREADS = 128
"""How many calls a provider of this interpreter serves at a time; a thread is made when it is first needed."""
COLLECT_AFTER = 50_000
"""How many new objects a child makes before it looks for garbage; after Python's 700 that is a tenth of its work."""
LOOK_S = 0.05
"""How often a program that waits looks for what has begun since."""
DEBUG = 0
"""The protocol's `LogSeverity` of a line that is for whoever debugs the SDK."""
REPORTED = 32
"""Exit status of a program whose error has been reported through the engine's log."""


class Nursery:
    """Forks children on request and reports how they end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._children: set[int] = set()
        self._wakeup, alarm = os.pipe()
        os.set_blocking(alarm, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.signal(signal.SIGINT, lambda _signal, _frame: None)  # ignoring it outright would pass to plugins by exec

    def serve(self) -> None:
        """Work until the engine closes its end."""
        while True:
            ready, _, _ = select.select([self._connection, self._wakeup], [], [])
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._report_ended()
            if self._connection in ready and not self._take_request():
                break
        self._end_children()

    def _end_children(self) -> None:
        limit = time.monotonic() + STOP_PATIENCE_S
        self._signal(signal.SIGINT)
        while self._children and time.monotonic() < limit:
            time.sleep(0.02)
            self._report_ended()
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _take_request(self) -> bool:
        header, descriptors, _, _ = socket.recv_fds(self._connection, LENGTH_BYTES, 2)
        if not header:
            return False
        request = json.loads(self._receive(int.from_bytes(header, "big")))
        if request["role"] == "import":
            for name in (*SDK, *request["modules"]):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            return True
        try:
            pid = (
                self._spawn(request, descriptors) if request["role"] == "command" else self._fork(request, descriptors)
            )
        except OSError as error:
            os.write(descriptors[1], f"{error}\n".encode())
            pid = 0
        for descriptor in descriptors:
            os.close(descriptor)
        self._send({"started": request["key"], "pid": pid})
        return True

    def _spawn(self, request: dict[str, Any], descriptors: list[int]) -> int:
        process = subprocess.Popen(
            request["argv"],
            cwd=request["directory"],
            env={**os.environ, **request["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=descriptors[0],
            stderr=descriptors[1],
            start_new_session=True,
        )
        process.returncode = 0  # its end is collected with that of the others
        self._children.add(process.pid)
        return process.pid

    def _receive(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            data += self._connection.recv(min(length - len(data), 1 << 16)) or sys.exit(0)
        return bytes(data)

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        for name in SDK:
            importlib.import_module(name)
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._become_child(descriptors)
                status = ROLES[request["role"]](request)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:  # noqa: BLE001 - the last frame of a process
                traceback.print_exc()
            finally:
                leave(status)
        self._children.add(pid)
        return pid

    def _become_child(self, descriptors: list[int]) -> None:
        gc.set_threshold(COLLECT_AFTER)
        gc.enable()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._connection.close()
        os.setsid()
        for target, descriptor in enumerate(descriptors, start=1):
            os.dup2(descriptor, target)
            os.close(descriptor)

    def _report_ended(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            self._send({"ended": pid, "status": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def leave(status: int) -> None:
    """End a forked child as the interpreter would, but without tearing every module down."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # noqa: SLF001 # pyright: ignore - joins threads, as at any exit
        atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore - the other half of it
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)


def run_module(request: dict[str, Any]) -> int:
    """Serve a provider that is a module of this interpreter, as `python -m <module> <engine>` would."""
    os.chdir(request["directory"])
    os.environ.update(request["environment"])
    sys.path.insert(0, request["directory"])
    sys.argv = [request["module"], request["engine"]]
    concurrent.futures.ThreadPoolExecutor = many_threads
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    return 0


def many_threads(max_workers: int | None = None, *options: Any, **named: Any) -> ThreadPoolExecutor:
    """Make a pool of threads for calls that wait: with the SDK's four, reads of one host held up those of the next."""
    return ThreadPoolExecutor(max(max_workers or 0, PROVIDER_THREADS), *options, **named)


class QuietEngine:
    """The engine's service without the SDK's debug lines.

    The SDK sends about five for each resource, each a call that blocks the program's loop; the engine shows none of
    them, and together they take longer than the registrations that they tell of.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def Log(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        """Pass on what is meant for people."""
        return self._engine.Log(request) if request.severity != DEBUG else None


def settled_first(wait: Any, settings: Any) -> Any:
    """Return the SDK's wait for what a program has begun, preceded by one that is light.

    The SDK lists all that is under way anew whenever one of it ends, which for eighty resources is up to a third of
    what the program costs. Here it is listed a few times a second, and at once when something fails. What begins after
    that is the SDK's to wait for.
    """

    async def waited(*options: Any, **named: Any) -> None:
        while True:
            await asyncio.sleep(0)  # what has just been declared begins
            with settings.SETTINGS.lock:
                begun = {*settings._get_rpc_manager().rpcs, *settings.SETTINGS.outputs}  # noqa: SLF001
            running = {each for each in begun if not each.done()}
            for ended in begun - running:
                await ended  # which raises what it failed with, as the SDK's own wait does
            if not running:
                break
            await asyncio.wait(running, timeout=LOOK_S, return_when=asyncio.FIRST_EXCEPTION)
        await wait(*options, **named)

    return waited


def run_program(request: dict[str, Any]) -> int:
    """Run the project's program against the engine; returns the exit status the protocol knows."""
    import grpc  # noqa: PLC0415 - not before the commands have been started, like all that follow
    import pulumi.runtime  # noqa: PLC0415
    from pulumi.runtime import settings, stack  # noqa: PLC0415
    from pulumi.runtime.proto.engine_pb2_grpc import EngineStub  # noqa: PLC0415

    os.chdir(request["directory"])
    os.environ.update(request["environment"])
    sys.argv = [request["entry"]]
    pulumi.runtime.set_all_config(request["config"], request["secretKeys"])
    pulumi.runtime.configure(
        settings.Settings(
            project=request["project"],
            stack=request["stack"],
            monitor=request["engine"],
            engine=QuietEngine(EngineStub(grpc.insecure_channel(request["engine"]))),
            parallel=request["parallel"],
            dry_run=request["dryRun"],
            organization=request["organization"],
            root_directory=request["root"],
        )
    )
    stack.wait_for_rpcs = settled_first(stack.wait_for_rpcs, settings)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(ThreadPoolExecutor(max_workers=4 * request["parallel"]))
    try:
        return _outcome(loop, lambda: runpy.run_path(request["entry"], run_name="__main__"))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _outcome(loop: Any, program: Any) -> int:
    import pulumi  # noqa: PLC0415 - not before the commands have been started
    from pulumi.runtime import run_in_stack  # noqa: PLC0415

    def run() -> None:
        program()

    try:
        loop.run_until_complete(run_in_stack(run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return REPORTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 1
    except Exception:  # noqa: BLE001 - whatever the program raised is reported, not handled
        pulumi.log.error(f"Program failed with an unhandled exception:\n{_traceback()}")
        return REPORTED
    return 0


def _traceback() -> str:
    """Return the traceback without this launcher's and runpy's own frames."""
    _, error, trace = sys.exc_info()
    frames = [frame for frame in traceback.extract_tb(trace) if frame.filename not in (__file__, runpy.__file__)]
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen")] or frames
    return "".join([*traceback.format_list(frames), *traceback.format_exception_only(error)])


ROLES = {"program": run_program, "module": run_module}


def main() -> None:
    """Serve the engine at the other end of the socket.

    Importing an SDK makes a few hundred thousand objects that stay: collecting garbage meanwhile, and taking them apart
    at the end, would cost a tenth of a second each.
    """
    gc.disable()
    Nursery(socket.socket(fileno=int(sys.argv[1]))).serve()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Start the provider: serve on a free loopback port, print it, end with the engine.

The engine stops it with SIGINT (or SIGTERM); should the engine vanish without a word, the provider notices within
seconds that it has become an orphan, and ends too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from localcloud.provider.protocol import provider_pb2_grpc
from localcloud.provider.service import Provider

_MESSAGE_BYTES = 400 * 1024 * 1024
_THREADS = 64
_LOOK_AT_PARENT_S = 2.0
_GRACE_S = 1.0


def main() -> None:
    """Serve until told to stop."""
    parent = os.getppid()  # an engine may vanish while this one starts
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    server = grpc.server(
        ThreadPoolExecutor(max_workers=_THREADS),
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.wait(_LOOK_AT_PARENT_S):
        if os.getppid() != parent:
            break
    server.stop(_GRACE_S).wait()
    sys.stdout.flush()
    os._exit(0)  # threads that wait for the API must not hold the process


if __name__ == "__main__":
    main()

"""The health check of a container: `python -I -S tshkit/probe.py PORT PATH` exits 0 when the answer is 200.

It runs every second while a service starts, within that service's share of the processor: so it reads the status line
from a socket, and spares the fifth of a second that importing an HTTP client takes.
"""

import socket
import sys

TIMEOUT_S = 4


def is_ok(port: int, path: str) -> bool:
    """Tell whether a GET on this machine is answered with 200; OSError when nobody answers."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        status_line = connection.makefile("rb").readline(128)
    return status_line.split()[1:2] == [b"200"]


def main() -> int:
    """Probe what the arguments name, and say in one line why it is not well."""
    try:
        if is_ok(int(sys.argv[1]), sys.argv[2]):
            return 0
    except OSError as error:
        sys.stdout.write(f"{error}\n")
    else:
        sys.stdout.write("The answer is not 200\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

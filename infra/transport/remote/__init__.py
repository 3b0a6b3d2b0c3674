"""What runs on the host: facts are gathered and acts performed here, by Python's standard library alone.

These modules travel over the connection as text and live in the memory of a `python3 -I` at its far end, which keeps
them compiled until the host restarts (see `infra.transport.loader`); nothing is installed on the host. They need Python
3.9 there and import nothing but each other. What to do is decided on the controller; what is done here is told in plain
data, so that no value ever passes through a shell.

What a look loads it pays for, on each host, each time. So `typing` is imported for whoever checks types and never while
the code runs: `TYPE_CHECKING` is a plain False here.
"""

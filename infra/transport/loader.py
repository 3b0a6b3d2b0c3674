"""What runs first at the far end: it takes the worker's code from what an earlier conversation kept, or asks for it.

The text of this module is the first line of every conversation, so it needs nothing but Python there. Compiling the
worker costs a host more than most of what it answers, and sending it is most of what a look sends; so the host keeps
what it compiled, on tmpfs, under the digest of the text. The directory and the file must be this user's own and closed
to everybody else: whoever could replace them could replace the Python that runs here as well. Anything else is passed
over, and the text is asked for. What comes then must have the digest that the controller named.
"""

# What only a first conversation needs, and pathlib, would cost every later one start-up time.
# ruff: noqa: PLC0415, PTH102, PTH105, PTH108, PTH112, PTH123

from __future__ import annotations

__all__ = ["load", "take"]

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Compiled = dict[str, bytes]
    """By a module's name its code, marshalled; nothing for a package."""

_ROOT = "/run/greenroom"
_KEPT = f"{_ROOT}/worker"
_MOST = 4
"""How many versions are kept: controllers of different releases take turns on a host."""
_OTHERS = 0o077
_ModuleSpec: Any = type(sys.__spec__)


class _Finder:
    """Finds the worker's modules by name; a package is one without code."""

    def __init__(self, code: Compiled) -> None:
        self._code = code

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        return _ModuleSpec(name, self, is_package=not self._code[name]) if name in self._code else None

    def create_module(self, _spec: object) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        code = self._code[module.__name__]
        if code:
            exec(marshal.loads(code), module.__dict__)  # noqa: S102, S302 (what importing is; see `_kept`)


def load(digest: str, text: str) -> None:
    """Become the worker of that digest (SHA-256 of its modules as JSON, in hexadecimal). `text` is this module."""
    path = f"{_KEPT}/{digest}.{sys.implementation.cache_tag}-{sys.hexversion:x}"
    early: list[str] = []
    code = _kept(path)
    if code is None:
        code = _compiled(digest, early)
        _keep(path, code)
    take(code)
    from infra.transport.remote.main import main

    main(early, _another(text, code))


def take(code: Compiled) -> None:
    """Have these modules imported from now on."""
    finders: list[Any] = sys.meta_path
    finders.insert(0, _Finder(code))


def _another(text: str, code: Compiled) -> Callable[[str], str]:
    """Return what writes a program for another process: it has the same modules, and then does what it is told to."""
    return lambda then: f"{text}\ntake(marshal.loads(bytes.fromhex({marshal.dumps(code).hex()!r})))\n{then}\n"


def _kept(path: str) -> Compiled | None:
    """Return the code that is kept in a file, None where there is none or somebody else could have written it."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
            found = [os.fstat(stream.fileno()), os.lstat(_KEPT), os.lstat(_ROOT)]
            if any(each.st_uid != os.geteuid() or each.st_mode & _OTHERS for each in found):
                return None
            return marshal.load(stream)  # noqa: S302 (of our own making, as was just made sure of)
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _compiled(digest: str, early: list[str]) -> Compiled:
    """Ask the controller for the text and compile it; requests that came before it are put into `early`."""
    import base64
    import hashlib
    import json
    import zlib

    sys.stdout.write('{"event": "code"}\n')
    sys.stdout.flush()
    line = sys.stdin.readline()
    while line.startswith("{"):
        early.append(line)
        line = sys.stdin.readline()
    text = zlib.decompress(base64.b64decode(line)) if line.endswith("\n") else b""
    if hashlib.sha256(text).hexdigest() != digest:
        sys.exit("the worker's code did not arrive whole")
    modules: dict[str, str] = json.loads(text)
    return {name: marshal.dumps(compile(source, name, "exec")) if source else b"" for name, source in modules.items()}


def _keep(path: str, code: Compiled) -> None:
    """Keep compiled code for the next conversation; where that can't be, it is sent again."""
    temporary = f"{path}.{os.getpid()}"
    try:
        for folder in (_ROOT, _KEPT):
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o700)
        for entry in sorted(os.scandir(_KEPT), key=lambda each: -each.stat().st_mtime)[_MOST - 1 :]:
            os.unlink(entry.path)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:
            marshal.dump(code, stream)
        os.replace(temporary, path)
    except OSError:
        return

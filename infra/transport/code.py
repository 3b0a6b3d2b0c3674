"""The worker's code as it travels: what starts a conversation, and the modules for a host that has not kept them."""

from __future__ import annotations

__all__ = ["Code", "code"]

import functools
import hashlib
import json
import zlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_PACKAGE = "infra.transport.remote"


@dataclass(frozen=True)
class Code:
    """A first line for a Python that evaluates it, and the modules behind it as JSON: name to text, packages empty."""

    loader: str
    modules: bytes

    @property
    def first(self) -> bytes:
        """The line that a conversation begins with: the loader, told which modules to become."""
        digest = hashlib.sha256(self.modules).hexdigest()
        return ascii(f"text = {self.loader!r}\nexec(text)\nload({digest!r}, text)\n").encode() + b"\n"

    @property
    def rest(self) -> bytes:
        """The line that is sent when the far end asks for the modules."""
        return b64encode(zlib.compress(self.modules)) + b"\n"


@functools.cache
def code() -> Code:
    """Read the worker's code."""
    parents = [_PACKAGE.rsplit(".", depth)[0] for depth in range(3)]
    files = (path for path in sorted((_HERE / "remote").glob("*.py")) if path.stem != "__init__")
    modules = dict.fromkeys(parents, "") | {f"{_PACKAGE}.{path.stem}": path.read_text() for path in files}
    return Code((_HERE / "loader.py").read_text(), json.dumps(modules).encode())

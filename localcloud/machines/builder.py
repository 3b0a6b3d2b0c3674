"""Builds images on the machine's Docker engine: base file systems by mmdebstrap, the rest from recipe folders.

Where Docker Hub answers, official images take the place of the stand-ins, with this machine's authorities added.
"""

from __future__ import annotations

__all__ = ["RECIPE", "Builder", "answers"]

import io
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.machines import recipes
from localcloud.machines.engine import client
from localcloud.machines.spec import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.machines.recipes import Base, Image
    from localcloud.machines.surroundings import Surroundings

RECIPE = "greenroom.recipe"
HUB = "https://registry-1.docker.io/v2/"
MIRROR = "http://deb.debian.org"
HEARTBEAT_S = 5.0
_LEAN = ("doc", "info", "lintian", "locale", "man")


def answers(url: str = HUB, timeout_s: float = 3.0) -> bool:
    """Whether a registry answers quickly (a refusal for want of a token is an answer)."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s):  # noqa: S310 - a constant https address
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code == 401  # noqa: PLR2004 - the registry protocol's way to ask for a token
    except OSError:
        return False


class Builder:
    """Builds one image at a time; several builders may work side by side."""

    def __init__(self, surroundings: Surroundings, *, from_hub: bool, say: Callable[[str], None]) -> None:
        self._surroundings = surroundings
        self._from_hub = from_hub
        self._say = say

    def base(self, base: Base) -> None:
        """Make a base image: pulled, or bootstrapped from the distribution's archive."""
        if self._from_hub:
            self._pull(base.official)
            client().api.tag(base.official, *base.reference.split(":"), force=True)
            return
        if not shutil.which("mmdebstrap"):
            raise MachineError(
                f"Can't make {base.reference}: Docker Hub does not answer, and there is no mmdebstrap.\n"
                "  next: sudo apt-get install -y mmdebstrap debian-archive-keyring"
            )
        self._bootstrap(base)

    def image(self, image: Image) -> None:
        """Build an image from its recipe, or from the official image that it stands for."""
        wanted = recipes.digest(image, self._surroundings)
        if self._from_hub and image.official and image.folder != recipes.TRUST:
            self._pull(image.official)
            self._build(image.reference, recipes.TRUST, {"BASE": image.official}, wanted)
        else:
            self._build(image.reference, image.folder, dict(image.on), wanted)

    def _pull(self, reference: str) -> None:
        self._follow(f"pulling {reference}", client().api.pull(reference, stream=True, decode=True))

    def _build(self, reference: str, folder: str, arguments: dict[str, str], recipe: str) -> None:
        context = _tar(recipes.files(folder, self._surroundings))
        stream = client().api.build(
            fileobj=context,
            custom_context=True,
            tag=reference,
            buildargs=arguments,
            labels={RECIPE: recipe},
            rm=True,
            forcerm=True,
            decode=True,
        )
        self._follow(f"building {reference}", stream)

    def _follow(self, task: str, stream: Iterable[dict[str, Any]]) -> None:
        """Report an engine's stream of messages; raise MachineError with its tail when it ends in an error."""
        started = spoken = time.monotonic()
        step, tail = "", list[str]()
        for message in stream:
            if "error" in message:
                evidence = "\n".join(f"  | {line}" for line in tail[-15:])
                raise MachineError(f"Failed {task}: {message['error']}\n{evidence}")
            for line in str(message.get("stream") or "").splitlines():
                if line.startswith("Step "):
                    step = line.split(":")[0].strip()
                tail = [*tail[-30:], line]
            now = time.monotonic()
            if now - spoken >= HEARTBEAT_S:
                spoken = now
                self._say(f"images: {task}: {step or 'at it'}, {now - started:.0f} s")

    def _bootstrap(self, base: Base) -> None:
        started = spoken = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="greenroom-") as folder:
            archive = Path(folder) / "root.tar"
            argv = _mmdebstrap(base.suite, archive)
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            tail = list[str]()
            for line in process.stdout or ():
                tail = [*tail[-30:], line.rstrip()]
                now = time.monotonic()
                if now - spoken >= HEARTBEAT_S:
                    spoken = now
                    self._say(f"images: bootstrapping Debian {base.suite}: {line.strip()[:60]}, {now - started:.0f} s")
            if process.wait() != 0:
                evidence = "\n".join(f"  | {line}" for line in tail[-15:])
                raise MachineError(f"Failed bootstrapping Debian {base.suite}:\n{evidence}")
            repository, tag = base.reference.split(":")
            client().api.import_image_from_file(str(archive), repository=repository, tag=tag)


def _mmdebstrap(suite: str, archive: Path) -> list[str]:
    """Return the command that makes a suite's smallest useful root file system: no manuals, no translations."""
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _LEAN]
    return [
        "mmdebstrap",
        "--variant=apt",
        "--include=ca-certificates,usr-is-merged,adduser",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--dpkgopt=force-unsafe-io",
        *excluded,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        '--aptopt=Acquire::Languages "none"',
        suite,
        str(archive),
        f"deb {MIRROR}/debian {suite} main",
        f"deb {MIRROR}/debian {suite}-updates main",
        f"deb {MIRROR}/debian-security {suite}-security main",
    ]


def _tar(files: dict[str, tuple[int, bytes]]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, (mode, content) in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(content)
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer

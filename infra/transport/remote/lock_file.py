"""An npm lock file, made by the npm of a given image in a container that is thrown away.

The container has the network that a build has and nothing else of the host: no capability, no writable root, limits of
memory, processes and time, and one directory with the package files that were sent along. No package's own code runs.
"""

from __future__ import annotations

__all__ = ["lock_file_act"]

import base64
import contextlib
import glob
import json
import os
import re
import shutil
import tempfile
import zlib

from infra.transport.remote.engine import Engine
from infra.transport.remote.processes import run
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

_SCRATCH = "/var/lib/greenroom"
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}(@sha256:[0-9a-f]{64})?")
_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9@_][A-Za-z0-9@_./ -]{0,250}")
_PACKAGE_FILES = ("package.json", ".npmrc")
_LOCK = "package-lock.json"
_LIMIT_BYTES = 8 << 20
_TIMEOUT_S = 120.0
_SCRIPT = (
    "npm --version && "
    "npm install --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved >&2 && "
    "npm ci --dry-run --ignore-scripts --no-audit --no-fund >&2"
)
"""The lock file, and at once whether `npm ci` takes it. Nothing from outside is part of this text."""


def lock_file_act(act: dict[str, Any], report: Reporter) -> None:
    """Make a lock file of `files` (path to text) with the npm of `image`; leaves npm's version and the file.

    LOCK_FILE_FAILED with what npm said, LOCK_FILE_REFUSED where the request is none.
    """
    image, files = str(act["image"]), dict(act["files"])
    if not _IMAGE.fullmatch(image) or not all(_is_package_file(path) for path in files) or "package.json" not in files:
        raise ActFailure("LOCK_FILE_REFUSED", "npm install --package-lock-only", None, f"image {image[:80]}", "")
    was_here = bool(Engine().image_id(image))
    os.makedirs(_SCRATCH, exist_ok=True)  # noqa: PTH103
    for left in glob.glob(f"{_SCRATCH}/lock-*"):  # noqa: PTH207 (of one that was killed; the host's lock is held)
        shutil.rmtree(left, ignore_errors=True)
    scratch = tempfile.mkdtemp(prefix="lock-", dir=_SCRATCH)
    name = f"greenroom-{os.path.basename(scratch)}"  # noqa: PTH119
    try:
        work = _filled(scratch, files)
        report.say(f"make {_LOCK} with the npm of {image}")
        finished = run(_argv(name, image, work), timeout_s=_TIMEOUT_S)
        content = _read(f"{work}/{_LOCK}")
        if finished.exit_status != 0 or not content:
            command = f"docker run --rm {image} npm install --package-lock-only --ignore-scripts"
            raise ActFailure("LOCK_FILE_FAILED", command, finished.exit_status, finished.printed[-3000:], "")
    finally:
        run(["docker", "rm", "--force", name])
        shutil.rmtree(scratch, ignore_errors=True)
        if not was_here:
            run(["docker", "image", "rm", image])
    packed = base64.b64encode(zlib.compress(content)).decode()
    act["printed"] = json.dumps({"npm": finished.stdout.strip()[:40], "lock": packed})


def _is_package_file(path: str) -> bool:
    return (bool(_PATH.fullmatch(path)) and path.rsplit("/", 1)[-1] in _PACKAGE_FILES) or path == ".npmrc"


def _filled(scratch: str, files: dict[str, str]) -> str:
    """Lay the package files out in a directory that only the container gets to see."""
    work = f"{scratch}/work"
    os.mkdir(work)  # noqa: PTH102
    for path, text in files.items():
        target = f"{work}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        with open(target, "w", encoding="utf-8") as stream:  # noqa: PTH123
            stream.write(text)
    os.chmod(work, 0o777)  # noqa: PTH101, S103 (the image's user writes here, whoever that is)
    return work


def _argv(name: str, image: str, work: str) -> list[str]:
    return [
        *("docker", "run", "--rm", "--name", name, "--quiet"),
        *("--memory", "768m", "--memory-swap", "768m", "--pids-limit", "256", "--cpus", "2"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"),
        *("--tmpfs", "/tmp:size=512m,mode=1777", "--mount", f"type=bind,source={work},target=/lock"),  # noqa: S108
        *("--workdir", "/lock", "--env", "HOME=/tmp", "--env", "npm_config_cache=/tmp/npm"),
        *("--env", "npm_config_update_notifier=false", "--entrypoint", "/bin/sh", image, "-c", _SCRIPT),
    ]


def _read(path: str) -> bytes:
    """Read what the container wrote: a plain file of a bounded size, or nothing."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            content = stream.read(_LIMIT_BYTES + 1)
        return content if len(content) <= _LIMIT_BYTES else b""
    return b""

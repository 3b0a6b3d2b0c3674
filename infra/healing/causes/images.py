"""Causes in pulling images: what does not exist, and who does not answer."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.causes.build import OLD_SERVES, bare_lines
from infra.healing.matching import Seen, cause, first_line, proof
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_NO_IMAGE = re.compile(
    r"manifest for (?P<manifest>\S{1,300}) not found: manifest unknown"
    r"|pull access denied for (?P<denied>[^\s,]{1,300}), "
    r"|(?:(?P<from>\S{1,300}): )?failed to resolve source metadata for "
    r"(?P<source>\S{1,300}): .{0,400}not found"
    r"|(?P<unknown>\S{1,300}): manifest unknown\Z|manifest unknown"
    r"|(?P<absent>(?:[A-Za-z0-9][\w-]{0,60}(?:\.[\w-]{1,60})+|localhost)(?::\d{1,5})?/\S{1,300}): not found\Z"
)
_HOST = re.compile(r".{0,400}?(?:https?://|lookup |connect to )([A-Za-z0-9.-]{3,100})\b")
_SILENT = re.compile(
    r"npm (?:error|ERR!) code (?:ETIMEDOUT|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENOTFOUND|ERR_SOCKET_TIMEOUT)\b"
    r"|WARNING: Retrying \(Retry\(total=0\b|Could not fetch URL |Temporary failure resolving |E: Failed to fetch "
    r"|.{0,500}?(?:net/http: TLS handshake timeout|i/o timeout|connect: connection refused|no such host"
    r"|context deadline exceeded|connection reset by peer|request canceled while waiting for connection"
    r"|no route to host|network is unreachable|503 Service Unavailable|unexpected EOF|toomanyrequests)"
)


def _base_image_missing(situation: Situation) -> Iterator[Seen]:
    found = first_line(_NO_IMAGE, bare_lines(situation))
    if found:
        image = next((each for each in (found["source"], *found.groups()) if each), "an image")
        yield Seen(image, proof("image", found.string), 0.9, {"image": image})


def _registry_silent(situation: Situation) -> Iterator[Seen]:
    lines = bare_lines(situation, "IMAGE_BUILD_FAILED", "IMAGE_PULL_FAILED", "PACKAGES_FAILED")
    found = first_line(_SILENT, lines)
    if found and not first_line(_NO_IMAGE, lines):
        host = _HOST.match(found.string)
        yield Seen(host[1] if host else "registry", proof("image", found.string), 0.85)


CAUSES = (
    cause(
        "BASE_IMAGE_MISSING",
        _base_image_missing,
        rows="U17 F59 U34 R09",
        stage="build",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The image {subject} does not exist, or may not be pulled",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker pull {image}",
            "put an image that exists into the Dockerfile or {compose_file} (who raised it last?)",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "REGISTRY_SILENT",
        _registry_silent,
        rows="U17 F59",
        stage="build",
        verdict=Verdict.HEAL,
        severity="medium",
        title="A registry did not answer: {subject}",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- docker info   # the mirrors in use",
            "greenroom up -s {stack}   # once it answers again; egress from the droplet may be blocked as well",
        ),
        remedy="wait",
    ),
)

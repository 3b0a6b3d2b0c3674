"""Causes in building and pulling images. What a build prints is the repository's own doing: it names, it never acts."""

from __future__ import annotations

__all__ = ["CAUSES", "OLD_SERVES", "bare_lines"]

import re
from typing import TYPE_CHECKING

from infra.healing.matching import Seen, cause, failed, first_line, listed, proof, section, step_lines, text
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_CODES = ("IMAGE_BUILD_FAILED", "IMAGE_PULL_FAILED", "COMPOSE_UP_FAILED")
_PREFIX = re.compile(
    r"(?:ERROR: |Error: |error: |target [\w.-]{1,63}: |failed to solve: |failed to compute cache key: |[0-9.]{1,12} "
    r"|Error response from daemon: |[\w.-]{1,63} (?=(?:Error|Pulling|Interrupted))|Error |failed to build: | +)"
)
_PREFIXES = 8
_LOCK = re.compile(
    r"npm (?:error|ERR!) (?:code EUSAGE|aliases: clean-install, ic\b)"
    r"|npm (?:error|ERR!) .{0,200}can only install with an existing package-lock\.json"
    r'|.{0,300}?"/(?:[^"]{1,200}/)?(?:package-lock|npm-shrinkwrap)\.json": not found'
)
_FILE_MISSING = re.compile(
    r"Could not open requirements file: \[Errno 2\][^']{0,80}'(?P<requirements>[^']{1,300})'"
    r'|failed to calculate checksum of ref .{0,300}?: "(?P<copied>/[^"]{1,300})": not found'
    r"|failed to read dockerfile: open (?P<dockerfile>[^:]{1,300}): no such file"
    r"|COPY failed: file not found in build context or excluded by \.dockerignore: stat (?P<stat>[^:]{1,300}): "
    r"|unable to prepare context: path \"(?P<context>[^\"]{1,300})\" not found"
)
_CODE = re.compile(
    r"(?P<typescript>\S{1,300}\(\d{1,6},\d{1,6}\): error TS\d{1,5}: .*)|(?P<types>Type error: .*)"
    r"|(?P<bundle>Failed to compile\.|Module not found: .*|(?:Syntax|Reference)Error: .*|.{0,80}PostCSS plugin.*"
    r"|npm (?:error|ERR!) Lifecycle script `[^`]{1,80}` failed.*|> Build failed.*|Build failed .*)"
    r"|(?P<compiler>\S{1,300}:\d{1,7}:(?:\d{1,7}:)? (?:fatal )?error: .*)"
    r"|(?P<pip>subprocess-exited-with-error|Failed building wheel for .*|No matching distribution found for .*)"
)
_STEP = re.compile(r'process "(?P<process>[^\n]{1,400})" did not complete successfully: exit code: (?P<status>\d{1,5})')
_TOOL = re.compile(
    r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<run>[A-Za-z0-9_+-]{1,60})'"
    r"|command '(?P<pip>[A-Za-z0-9_+./-]{1,80})' failed: No such file or directory"
    r"|/bin/(?:ba)?sh: (?:line )?(?:\d{1,4}: )?(?P<shell>[A-Za-z0-9_+./-]{1,80}): (?:command )?not found"
    r"|(?P<cc>g\+\+|gcc|cc|c\+\+|make): (?:command )?not found"
)
_MEMORY = re.compile(
    r'process "[^\n]{1,400}" did not complete successfully: exit code: 137|.{0,200}?JavaScript heap out of memory'
    r"|.{0,200}?Killed signal terminated program |Killed\Z|npm (?:error|ERR!) (?:signal SIGKILL|code 137)"
    r"|.{0,200}?cannot allocate memory"
)
OLD_SERVES = "This release can't be built; the one that runs goes on."


def bare_lines(situation: Situation, *codes: str) -> list[str]:
    """Return what the failed build printed, without the words that compose and BuildKit put before a message."""
    return [_bare(line) for line in step_lines(failed(situation, *(codes or _CODES)))]


def _bare(line: str) -> str:
    for _ in range(_PREFIXES):
        found = _PREFIX.match(line)
        if not found or not found.group():
            break
        line = line[found.end() :]
    return line


def _lock_file_missing(situation: Situation) -> Iterator[Seen]:
    lines = bare_lines(situation, "IMAGE_BUILD_FAILED")
    if not lines:
        return
    said = first_line(_LOCK, lines)
    for each in listed(section(situation, "git").get("unlocked")):
        path, where = text(each.get("lock_file")), f"{each.get('dockerfile')}:{each.get('number')}"
        ignored = text(each.get("ignored_by")) or "no rule"
        shown = (
            *proof(where, each.get("line")),
            *proof("git check-ignore", ignored),
            *proof("git", f"{path} is not there"),
        )
        details = {
            "directory": text(each.get("folder")),
            "dockerfile": text(each.get("dockerfile")),
            "image": text(each.get("image")),
            "ignored_by": ignored,
            "line": text(each.get("line")),
            "where": where,
        }
        yield Seen(path, (*proof("build", said.string), *shown) if said else shown, 0.98 if said else 0.8, details)


def _build_file_missing(situation: Situation) -> Iterator[Seen]:
    unlocked = bool(section(situation, "git").get("unlocked"))
    for found in filter(None, map(_FILE_MISSING.match, bare_lines(situation))):
        path = next(each for each in found.groups() if each).lstrip("/")
        if not (unlocked and path.endswith(("package-lock.json", "npm-shrinkwrap.json"))):
            yield Seen(path, proof("build", found.string), 0.9, {"path": path})


def _build_code_failed(situation: Situation) -> Iterator[Seen]:
    lines = bare_lines(situation, "IMAGE_BUILD_FAILED")
    found = first_line(_CODE, lines)
    if found:
        yield Seen("build", proof("build", found.string), 0.85, {"message": found.string[:200]})
        return
    step = first_line(_STEP, lines)
    if step and step["status"] not in ("137", "127"):
        told = f"`{step['process'][:120]}` ended with status {step['status']}"
        yield Seen("build", proof("build", step.string), 0.5, {"message": told})


def _build_tool_missing(situation: Situation) -> Iterator[Seen]:
    found = first_line(_TOOL, bare_lines(situation, "IMAGE_BUILD_FAILED"))
    if found:
        tool = next(each for each in found.groups() if each)
        yield Seen(tool, proof("build", found.string), 0.92)


def _build_out_of_memory(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "IMAGE_BUILD_FAILED")
    found = first_line(_MEMORY, bare_lines(situation, "IMAGE_BUILD_FAILED"))
    if found:
        yield Seen("build", proof("build", found.string), 0.9)
    elif failure is not None and failure.exit_status == 137:  # noqa: PLR2004 (128 and SIGKILL)
        yield Seen("build", proof("build", f"{failure.command}: exit status 137"), 0.7)


CAUSES = (
    cause(
        "LOCK_FILE_MISSING",
        _lock_file_missing,
        rows="U14 F51",
        stage="build",
        verdict=Verdict.GUARD,
        severity="high",
        title="{subject} is not in the repository, and {where} needs it: `{line}`",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "take `package-lock.json` out of the ignore rule ({ignored_by}) in the repository {repository}",
            "cd {directory} && npm install --package-lock-only   # with the npm of {image}; `npm ci` stays as it is",
            "git add -f -- {subject} && git commit && git push   # or apply the patch beside this report",
            "greenroom up -s {stack}",
        ),
        remedy="lock-file",
    ),
    cause(
        "BUILD_FILE_MISSING",
        _build_file_missing,
        rows="U13",
        stage="build",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The build asks for {subject}, which is not in the checkout",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "git -C {directory} log --oneline --follow -- {path}   # where it was moved to",
            "mend the path in the Dockerfile, or .dockerignore, and push; then greenroom up -s {stack}",
        ),
    ),
    cause(
        "BUILD_TOOL_MISSING",
        _build_tool_missing,
        rows="U33",
        stage="build",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The builder's image has no {subject}",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "install what brings {subject} in the Dockerfile's builder stage (for c++, gcc and make: build-essential)",
            "push, then greenroom up -s {stack}",
        ),
    ),
    cause(
        "BUILD_OUT_OF_MEMORY",
        _build_out_of_memory,
        rows="F61",
        stage="build",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The build was killed for want of memory",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- free -m",
            "raise greenroom:droplet.size in Pulumi.{stack}.yaml, or build elsewhere and set greenroom:workload.images",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "BUILD_CODE_FAILED",
        _build_code_failed,
        rows="U16",
        stage="build",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The build fails in the workload's own code: {message}",
        impact=OLD_SERVES,
        role="devops",
        next_steps=(
            "git -C {directory} show --stat {commit}   # what the commit changed",
            "mend it in {repository} ({branch}) and push, then greenroom up -s {stack}",
            "or stay on the last good commit: greenroom:workload.commit in Pulumi.{stack}.yaml",
        ),
    ),
)

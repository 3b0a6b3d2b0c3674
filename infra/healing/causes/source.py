"""Causes in the workload's source: the checkout on the host, and the repository that it comes from."""

from __future__ import annotations

__all__ = ["CAUSES"]

import re
from typing import TYPE_CHECKING

from infra.healing.matching import (
    Seen,
    cause,
    failed,
    find_drift,
    first_line,
    lookup,
    proof,
    section,
    step_lines,
    text,
    words,
)
from infra.healing.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.healing.model import Situation

_FETCHING = ("FETCH_FAILED", "CLONE_FAILED", "CHECKOUT_FAILED", "COMMIT_MISSING", "GIT_UNREACHABLE")
_SILENT = re.compile(
    r"(?:fatal: unable to access '[^']{0,400}': (?:Could not resolve host|Failed to connect|Recv failure|Empty reply"
    r"|Operation timed out|Connection (?:refused|reset|timed out)|The requested URL returned error: 5\d\d"
    r"|.{0,80}timed out)"
    r"|ssh: connect to host \S{1,200} port \d{1,5}: |ssh: Could not resolve hostname |fatal: unable to connect to "
    r"|fatal: the remote end hung up unexpectedly|fatal: early EOF|error: RPC failed|no answer within \d{1,4} s)"
)
_UNREACHED = re.compile(
    r"(?:fatal: unable to access '[^']{0,400}': (?:Could not resolve host|Failed to connect|Operation timed out)"
    r"|ssh: connect to host |ssh: Could not resolve hostname |fatal: unable to connect to )"
)
_REFUSED = re.compile(
    r"(?:fatal: Authentication failed for |fatal: could not read Username |(?:\S{1,200} )?Permission denied \(publickey"
    r"|remote: (?:Repository not found|HTTP Basic: Access denied|Invalid username or password|Permission to )"
    r"|fatal: repository '[^']{0,400}' not found"
    r"|fatal: unable to access '[^']{0,400}': The requested URL returned error: 4\d\d"
    r"|Host key verification failed|ERROR: Repository not found)"
)
_NO_CHECKOUT = re.compile(r"(/\S{1,400}) is no checkout\Z")
_EDITED = re.compile(r"(/.{1,400}) (?:was (?:added|removed|edited|changed)|is at another commit|has another origin)\Z")


def is_missing(situation: Situation) -> bool:
    """Tell whether the declared directory is absent, empty, or half a clone."""
    git = section(situation, "git")
    if not git:
        return False
    if git.get("is_checkout"):
        return not git.get("head")
    return not git.get("exists") or not git.get("entries")


def _checkout_missing(situation: Situation) -> Iterator[Seen]:
    git, directory = section(situation, "git"), situation.declared.directory
    if git.get("is_checkout") is False and git.get("exists") and git.get("entries"):
        return
    if is_missing(situation):
        what = "holds no commit" if git.get("is_checkout") else "is empty" if git.get("exists") else "does not exist"
        yield Seen(directory, proof("git", f"{directory} {what}"), 0.97)
        return
    for each in find_drift(situation, _NO_CHECKOUT):
        yield Seen(directory, proof("drift", each.get("what")), 0.95)


def _directory_occupied(situation: Situation) -> Iterator[Seen]:
    git, directory = section(situation, "git"), situation.declared.directory
    entries = words(git.get("entries"))
    failure = failed(situation, "DIRECTORY_OCCUPIED")
    if failure is not None or (git.get("exists") and not git.get("is_checkout") and entries):
        shown = ", ".join(entries[:8]) or " ".join(step_lines(failure)[:8])
        yield Seen(directory, proof("git", f"{directory} is no checkout, and holds {shown}"), 0.97, {"entries": shown})


def _checkout_altered(situation: Situation) -> Iterator[Seen]:
    declared, git = situation.declared, section(situation, "git")
    found = [each for each in find_drift(situation, _EDITED) if each.get("type") == "Checkout"]
    if found:
        shown = tuple(line for finding in found[:8] for line in proof("drift", finding.get("what")))
        yield Seen(declared.directory, shown, 0.95, {"changed": "; ".join(text(one.get("what")) for one in found[:8])})
    kept = (declared.env_file, *declared.directories)
    own = [each.removeprefix(f"{declared.directory}/").rstrip("/") for each in kept]
    changed = words(git.get("changed"))
    edited = [each for each in changed if not any(_is_within(each[3:].rstrip("/"), place) for place in own)]
    if edited and git.get("is_checkout") and not found:
        shown = tuple(line for each in edited[:8] for line in proof("git status", each))
        yield Seen(declared.directory, shown, 0.8, {"changed": ", ".join(edited[:8])})


def _is_within(path: str, place: str) -> bool:
    """Tell whether either path is below the other: git names a folder where all of it is new."""
    return path == place or path.startswith(f"{place}/") or place.startswith(f"{path}/")


def _commit_gone(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, "COMMIT_MISSING", "BRANCH_MISSING")
    if failure is not None:
        lines = step_lines(failure) or [failure.command]
        what = situation.declared.commit[:12] if failure.code == "COMMIT_MISSING" else situation.declared.branch
        if not first_line(_UNREACHED, lines) and not first_line(_REFUSED, lines):
            yield Seen(what, proof("git", lines[0] or failure.command), 0.95)


def _repository_silent(situation: Situation) -> Iterator[Seen]:
    failure = failed(situation, *_FETCHING, "GIT_TIMEOUT")
    if failure is None:
        return
    gone = failure.code == "COMMIT_MISSING"  # whose server may well hang up after it said so
    said = first_line(_UNREACHED if gone else _SILENT, step_lines(failure))
    repository = lookup(section(situation, "dns"), "repository") or {}
    place = f"{lookup(repository, 'name') or situation.declared.repository}:{lookup(repository, 'port') or ''}".rstrip(
        ":"
    )
    why = " ".join(text(lookup(repository, "error")).split())
    if said or failure.code == "GIT_TIMEOUT":
        shown = (*proof("git", said.string if said else failure.evidence), *(proof("dns", why) if why else ()))
        yield Seen(place, shown, 0.95 if why else 0.85, {"reason": why or "it did not answer the clone"})
    elif why and not gone and not lookup(repository, "connects") and not first_line(_REFUSED, step_lines(failure)):
        yield Seen(place, proof("dns", why), 0.8, {"reason": why})


def _repository_refused(situation: Situation) -> Iterator[Seen]:
    said = first_line(_REFUSED, step_lines(failed(situation, *_FETCHING)))
    if said:
        yield Seen(situation.declared.repository, proof("git", said.string), 0.95)


CAUSES = (
    cause(
        "CHECKOUT_MISSING",
        _checkout_missing,
        rows="U26 F52 U06 F57",
        stage="source",
        verdict=Verdict.HEAL,
        severity="critical",
        title="There is no checkout of the workload in {subject}",
        impact="Nothing can be built or started; containers that run go on.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- ls -la {directory}",
            "git ls-remote {repository} {branch}   # whether it can be cloned",
            "greenroom up -s {stack} --refresh   # clones commit {commit}",
        ),
        remedy="converge",
    ),
    cause(
        "DIRECTORY_OCCUPIED",
        _directory_occupied,
        rows="U06",
        stage="source",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="Something else lives in {subject}: {entries}",
        impact="The workload can't be cloned there. Nothing of what is there was touched.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- ls -la {directory}",
            "move it away if nobody needs it there, or set greenroom:host.directory in Pulumi.{stack}.yaml",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "CHECKOUT_ALTERED",
        _checkout_altered,
        rows="F53",
        stage="source",
        verdict=Verdict.HEAL,
        severity="medium",
        title="The checkout in {subject} was edited on the host",
        impact="What is built from it is not the declared commit ({changed}).",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- git -C {directory} diff   # what was edited, to be kept where it is wanted",
            "greenroom up -s {stack} --refresh   # saves the edits to {directory}.saved-TIME, and checks {commit} out",
        ),
        remedy="converge",
    ),
    cause(
        "COMMIT_GONE",
        _commit_gone,
        rows="F54",
        stage="source",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="{subject} is not in the repository {repository} any more",
        impact="This release can't be deployed; the one that runs goes on.",
        role="devops",
        next_steps=(
            "git ls-remote {repository} 'refs/heads/*'   # what is there; a force-push takes commits away",
            "ask who pushed to {branch}, or set greenroom:workload.commit in Pulumi.{stack}.yaml to one that is there",
            "greenroom up -s {stack}",
        ),
    ),
    cause(
        "REPOSITORY_SILENT",
        _repository_silent,
        rows="F94 F97",
        stage="source",
        verdict=Verdict.HEAL,
        severity="medium",
        title="The repository's server does not answer: {subject}",
        impact="This release can't be fetched; the one that runs goes on.",
        role="devops",
        next_steps=(
            "greenroom ssh -s {stack} -- git ls-remote {repository} {branch}   # {reason}",
            "greenroom ssh -s {stack} -- cat /etc/resolv.conf   # the name servers; egress may be blocked as well",
            "greenroom up -s {stack}",
        ),
        remedy="wait",
    ),
    cause(
        "REPOSITORY_REFUSED",
        _repository_refused,
        rows="U27",
        stage="source",
        verdict=Verdict.ESCALATE,
        severity="high",
        title="The repository {subject} refuses access",
        impact="This release can't be fetched; the one that runs goes on.",
        role="system administrator",
        next_steps=(
            "check the deploy key or token at the repository's host: expired, revoked, or of another repository",
            "greenroom ssh -s {stack} -- git ls-remote {repository} {branch}",
            "greenroom up -s {stack}",
        ),
    ),
)

"""The stack file of one pull request's environment, made from a template's by changing what must not be shared.

The template is a stack file like any other, written for environments that come and go; comments and order survive.
"""

from __future__ import annotations

__all__ = ["NETWORKS", "PullRequest", "stack_file"]

import copy
import ipaddress
import json
import re
from dataclasses import dataclass
from typing import Any, cast

from infra.errors import ConfigurationError, Problem
from infra.ops.adoption import written
from infra.settings.document import Document, read_document

NETWORKS = ipaddress.IPv4Network("10.64.0.0/12")
"""Where the private networks come from: VPCs of one account may not overlap. 65,536 of the smallest fit in."""
SMALLEST_BITS = 28
"""The longest prefix that DigitalOcean takes for a VPC."""
STYLE = "a line for each key, below headings such as `greenroom:network:`, as in Pulumi.staging.yaml"


@dataclass(frozen=True)
class PullRequest:
    """What the environment of a pull request is made for."""

    number: int
    branch: str = ""
    """The workload's branch; empty keeps the template's."""
    commit: str = ""
    """The workload's exact commit; empty keeps what the template says, mostly the branch's newest."""
    networks: ipaddress.IPv4Network = NETWORKS

    @property
    def stack(self) -> str:
        """The stack's name, and the first label of its domain."""
        return f"pr-{self.number}"

    @property
    def cidr(self) -> str:
        """The range of its VPC: another one for each number, as long as they are not farther apart than there are."""
        size = 2 ** (32 - SMALLEST_BITS)
        count = self.networks.num_addresses // size
        return f"{self.networks[self.number % count * size]}/{SMALLEST_BITS}"


def stack_file(text: str, name: str, request: PullRequest) -> str:
    """Return the stack file of a pull request, from the text of the template, whose file is called `name`.

    Another domain and network; nothing protected; no reserved address of the account's; the workload's branch and
    commit where they are given. Addresses with the template's domain in `environment` (`https://DOMAIN`) get the new
    one.

    Raises ConfigurationError with everything that keeps a template from being copied.
    """
    document = read_document(name, text.encode())
    before = _config(document)
    problems = [*document.problems, *_unfit(document, before)]
    if problems:
        raise ConfigurationError(problems)
    old = str(before["greenroom:domain"])
    new = f"{request.stack}.{old}"
    try:
        changed = _with_key(text, "domain", new)
        changed = _with_key(changed, "protect", "false")
        for key, value in _workload(request).items():
            changed = written(changed, f"workload.{key}", json.dumps(value))
        changed = written(changed, "network.cidr", request.cidr)
    except ValueError as error:
        raise ConfigurationError([Problem(name, "(file)", str(error), STYLE)]) from error
    changed = re.sub(r"(?m)^ +reservedIp:.*\n", "", changed)
    changed = _renamed(changed, old, new)
    after = read_document(name, changed.encode())
    if after.problems or _config(after) != _wanted(before, request, old, new):
        raise ConfigurationError([Problem(name, "(file)", "a style that can't be edited", STYLE)])
    made = f"# Made by ./scripts/pull-request-stack {request.number} from {name}, which is the one to change.\n"
    return made + changed


def _config(document: Document) -> dict[str, Any]:
    """Pick the settings out of a stack file; empty where it has none."""
    top = cast("dict[str, Any]", document.value) if isinstance(document.value, dict) else {}
    config = top.get("config")
    return cast("dict[str, Any]", config) if isinstance(config, dict) else {}


def _unfit(document: Document, config: dict[str, Any]) -> list[Problem]:
    """Name what a template has to have, and does not."""
    problems: list[Problem] = []

    def refuse(key: str, found: str, expected: str) -> None:
        problems.append(Problem(document.where(("config", *key.split(" "))), key.replace(" ", "."), found, expected))

    if not isinstance(config.get("greenroom:domain"), str):
        refuse("greenroom:domain", "nothing", "a name; pr-NUMBER is put before it")
    dns = config.get("greenroom:dns")
    if not isinstance(dns, dict) or "zone" not in dns:
        refuse("greenroom:dns", "nothing", "a zone of the account that each environment's record goes into")
    elif str(cast("dict[str, Any]", dns).get("manage", False)).lower() != "false":
        expected = "false: the zone would belong to one environment, and go with it"
        refuse("greenroom:dns manage", "true", expected)
    return problems


def _workload(request: PullRequest) -> dict[str, str]:
    """Give the workload's settings that are the pull request's."""
    return {key: value for key, value in (("branch", request.branch), ("commit", request.commit)) if value}


def _with_key(text: str, key: str, value: str) -> str:
    """Set `greenroom:KEY`; a missing one is put below the domain. ValueError where neither has a line of its own."""
    head = rf"(?m)^( *greenroom:{key}:)"
    changed, count = re.subn(rf"{head} *[^#\n]*?( *(?:#.*)?)$", rf"\g<1> {value}\g<2>", text, count=1)
    if count:
        return changed
    changed, count = re.subn(r"(?m)^( *)greenroom:domain:.*\n", rf"\g<0>\g<1>greenroom:{key}: {value}\n", text, count=1)
    if count:
        return changed
    raise ValueError(f"greenroom:{key} is no line of its own")


def _renamed(text: str, old: str, new: str) -> str:
    """Put the new domain into addresses of the environment's section."""
    section = re.compile(r"(?m)^( *)greenroom:environment:.*\n(?:(?:\1 +.*| *)\n)*")
    return section.sub(lambda found: _address(old).sub(f"//{new}", found[0]), text, count=1)


def _address(domain: str) -> re.Pattern[str]:
    return re.compile(rf"//{re.escape(domain)}(?![A-Za-z0-9.-])")


def _wanted(config: dict[str, Any], request: PullRequest, old: str, new: str) -> dict[str, Any]:
    """Give the settings that the new file has to have, and no others."""
    wanted = copy.deepcopy(config)
    wanted["greenroom:domain"], wanted["greenroom:protect"] = new, False
    wanted["greenroom:network"] = {**wanted.get("greenroom:network", {}), "cidr": request.cidr}
    wanted.get("greenroom:droplet", {}).pop("reservedIp", None)
    if workload := _workload(request):
        wanted["greenroom:workload"] = {**wanted.get("greenroom:workload", {}), **workload}
    environment = cast("dict[str, Any]", wanted.get("greenroom:environment", {}))
    for name, value in environment.items():
        environment[name] = _with_domain(value, old, new)
    return wanted


def _with_domain(value: Any, old: str, new: str) -> Any:
    if isinstance(value, list):
        return [_with_domain(each, old, new) for each in cast("list[Any]", value)]
    return _address(old).sub(f"//{new}", value) if isinstance(value, str) else value

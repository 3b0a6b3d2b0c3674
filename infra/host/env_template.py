"""The repository's own list of the variables that it reads, held against those that the deployment provides.

The list is read on the host, from the checkout of the release's commit, before anything of the release is built: a
variable that nobody provides ends the run while the old release still serves.
"""

from __future__ import annotations

__all__ = ["expect_complete", "template_probes", "unlisted"]

from typing import TYPE_CHECKING, Any

from infra.commands.environment import variables_listed
from infra.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

PHASE = "secrets"


def template_probes(template: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the question for the list; none where the settings name none."""
    return {"template": {"kind": "file", "path": template["path"], "content": True}} if template else {}


def expect_complete(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Raise StepError ENV_INCOMPLETE naming every listed variable that nobody provides, with file and line.

    ENV_TEMPLATE_MISSING where the commit has no such file; nothing where there was no question.
    """
    if "template" not in facts:
        return
    path, found = spec["template"]["path"], facts["template"]
    if not found["exists"]:
        raise _refused(spec, f"{path} is not in the repository at this commit", "ENV_TEMPLATE_MISSING")
    listed = variables_listed(found["content"])
    missing = {name: line for name, line in listed.items() if name not in spec["template"]["provided"]}
    if missing:
        lines = [f"{path}:{line}: {name}: nobody provides it" for name, line in missing.items()]
        raise _refused(spec, "\n".join(lines), "ENV_INCOMPLETE")


def unlisted(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Name the variables that are provided and not in the list: nobody reads them."""
    if "template" not in facts:
        return []
    return sorted(set(spec["template"]["provided"]) - variables_listed(facts["template"]["content"]).keys())


def _refused(spec: Mapping[str, Any], evidence: str, code: str) -> StepError:
    reach = spec["connection"]
    return StepError(
        phase=PHASE,
        host=f"{reach['user']}@{reach['host']}:{int(reach['port'])}",
        command=f"compare the variables with {spec['template']['path']}",
        exit_status=1,
        evidence=evidence,
        code=code,
        hint="add each under environment or secrets in the stack file, then greenroom preview",
    )

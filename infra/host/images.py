"""The release's images: built on the host or pulled, both at once where both are needed, and skipped where present."""

from __future__ import annotations

__all__ = ["Images"]

from typing import TYPE_CHECKING, Any, TypeVar

from pulumi.dynamic import CreateResult, Resource, UpdateResult

from infra.commands import acts, compose
from infra.host.env_template import expect_complete, template_probes, unlisted
from infra.host.findings import Finding, docker_silent
from infra.host.resource import HostProvider
from infra.host.workload import expect_acceptable
from infra.transport import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output, ResourceOptions

Outcome = TypeVar("Outcome", CreateResult, UpdateResult)

_BUILD_S = 1500.0
_RELEASES = 3
"""How many releases' images stay on the host, to go back to."""


class ImagesProvider(HostProvider):
    """Every reference of the compose file must be an image on the host."""

    subject = "images"
    phase = "build"
    timeout_s = 1800.0
    withheld = ("release", "earlier")

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Remember what the same release's tags stood for: another image under one of them is not it."""
        same = bool(olds) and (olds["commit"], olds["mode"]) == (spec["commit"], spec["mode"])
        same = same and olds["connection"]["machine"] == spec["connection"]["machine"]
        return {**spec, "release": olds["recorded"]["images"] if same else {}, "earlier": olds.get("built", [])}

    def verified(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Take what has just been built or pulled for what it is."""
        return {**spec, "release": {}, "earlier": []}

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask compose when there is something to do; for looking only, ask the engine."""
        if spec.get("images"):
            return {"present": {"kind": "images", "references": sorted(spec["images"])}}
        question = {"stack": compose.model_probe("stack", spec["workload"])}
        return {**question, **template_probes(spec.get("template"))}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Build and pull what is missing, side by side."""
        if "present" in facts:
            missing = [name for name, found in sorted(facts["present"].items()) if found != spec["images"][name]]
            return [acts.Act(f"image {name} is missing or another one", {}) for name in missing]
        stack, workload = facts["stack"], spec["workload"]
        expect_complete(spec, facts)
        expect_acceptable(spec, stack, self.phase)
        release = spec["release"]
        missing = {name for name, found in stack["images"].items() if not found or release.get(name, found) != found}
        is_built = spec["mode"] == "build"
        builds = [name for name, each in stack["services"].items() if each["image"] in missing and each["build"]]
        pulls = [name for name, each in stack["services"].items() if each["image"] in missing and not each["build"]]
        steps: list[acts.Act] = []
        if builds and is_built:
            steps.append(_compose(workload, ["build", *builds], "IMAGE_BUILD_FAILED", "--progress=plain"))
        if not is_built:
            pulls, builds = [*pulls, *builds], []
        if pulls:
            steps.append(_compose(workload, ["pull", "--quiet", *pulls], "IMAGE_PULL_FAILED"))
        steps = [acts.together(steps)] if len(steps) > 1 else steps
        surplus, _ = _kept(spec, stack)
        if surplus:
            steps.append(acts.remove_images(f"images of old releases: {', '.join(surplus)}", surplus))
        return steps

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell each reference's id, as recorded and as it is."""
        if "present" not in facts:
            return super().findings(spec, facts)
        wanted = spec["images"]
        if any(found is None for found in facts["present"].values()):
            return [docker_silent("images", len(wanted))]
        return [
            Finding(f"image {name} is {'another one' if found else 'missing'}", wanted[name], found or "missing")
            for name, found in sorted(facts["present"].items())
            if found != wanted[name]
        ]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the id behind each reference, and the variables that the repository does not list."""
        if "present" in facts:
            return {"images": _ids(facts["present"])}
        _, built = _kept(spec, facts["stack"])
        return {"images": _ids(facts["stack"]["images"]), "built": built, "unlisted": unlisted(spec, facts)}

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build and pull, then tell which variables nobody reads."""
        return _warned(super().create(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Build and pull, then tell which variables nobody reads."""
        return _warned(super().update(_id, _olds, _news))

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Remove the images that were built here."""
        return [acts.remove_images("the release is no longer wanted", spec["built"])] if spec.get("built") else []


class Images(Resource, module="greenroom", name="Images"):
    """The images of one release of a compose project: `images` maps each reference to its id.

    `template` is the repository's list of variables at that commit: its `path`, and the names that are `provided`.
    """

    images: Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        workload: Mapping[str, Input[Any]],
        commit: Input[str],
        mode: Input[str] = "build",
        template: Mapping[str, Any] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "workload": workload,
            "commit": commit,
            "mode": mode,
            "template": dict(template) if template else None,
            **dict.fromkeys(("images", "built", "unlisted")),
        }
        super().__init__(ImagesProvider(), name, props, opts)


def _warned(result: Outcome) -> Outcome:
    if names := (result.outs or {}).get("unlisted"):
        say(ImagesProvider.subject, f"warning: the repository's list of variables has no {', '.join(names)}")
    return result


def _ids(found: dict[str, str | None]) -> dict[str, str]:
    """Return the ids as the state keeps them: one that is not known is as good as none."""
    return {name: known or "" for name, known in found.items()}


def _kept(spec: dict[str, Any], stack: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the references that are too old to keep, and those to keep, newest last."""
    own = compose.references(stack, built=True) if spec["mode"] == "build" else []
    every = [*(each for each in spec["earlier"] if each not in own), *own]
    surplus = max(0, len(every) - _RELEASES * max(1, len(own)))
    return every[:surplus], every[surplus:]


def _compose(workload: dict[str, Any], words: list[str], code: str, *flags: str) -> acts.Act:
    argv = compose.arguments(workload)
    verb = words[0]
    return acts.run(
        f"images are missing: {verb} {' '.join(word for word in words[1:] if not word.startswith('-'))}",
        [*argv[:2], *flags, *argv[2:], *words],
        say=f"{verb} {' '.join(words[1:])}",
        code=code,
        timeout_s=_BUILD_S,
        stream=verb,
        env=dict(workload["variables"]),
        hint=f"cd {workload['directory']} && less {workload['compose_file']}",
    )

"""The release's image tag carries its prefix once, so that a rollback finds the image (R09), by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def broken(lab: Lab) -> str:
    tag = lab.outputs()["release"]["tag"]
    if tag != f"staging-{lab.commit[:7]}":
        return f"the tag is {tag}"
    found = lab.shell(f"docker image inspect tsh-erp:{tag} --format '{{{{.Id}}}}'", check=False)
    return "" if found.startswith("sha256:") else f"there is no image tsh-erp:{tag}"


CASE = Case(
    id="rollback-tag-prefix",
    title="VERSION already holds the prefix: the tag carries it once, and its image is there",
    rows=("R09",),
    strikes="run time",
    expected="prevented",
    inject=lambda lab: lab.environment.update(VERSION=f"staging-{lab.commit[:7]}", IMAGE_TAG="staging-staging"),
    broken=broken,
)

"""The 2025-11-15 report's second failure: an empty server, where only the data volume is there."""

from bed import DIRECTORY
from faultcase import Case

CASE = Case(
    id="source-checkout-missing",
    title="an empty server: the project's directory and everything of it is gone",
    rows=("U26", "F52", "U06"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        "docker ps -aq --filter label=com.docker.compose.project=tsh_erp_staging | xargs -r docker rm -f;"
        f" docker images -q 'tsh-*' | xargs -r docker rmi -f; rm -rf {DIRECTORY}"
    ),
    broken=lambda lab: "" if lab.shell(f"ls {DIRECTORY}/.git 2>/dev/null", check=False) else "no checkout is there",
    disturbs=frozenset({"uploaded file"}),
    causes=("CHECKOUT_MISSING",),
    watched=True,
    fast=True,
)

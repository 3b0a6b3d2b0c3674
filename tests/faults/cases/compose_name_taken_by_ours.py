"""An exited leftover of our own project, under another service, has the name that ours wants."""

from bed import NEUROLINK
from faultcase import Case

LEFTOVER = (
    f"docker create --name {NEUROLINK} --label com.docker.compose.project=tsh_erp_staging"
    " --label com.docker.compose.service=old_neurolink --label com.docker.compose.oneoff=False redis:7-alpine"
)

CASE = Case(
    id="compose-name-taken-by-ours",
    title="a leftover of our own project has the name of one of ours",
    rows=("U20",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker rm -f {NEUROLINK}; {LEFTOVER}"),
    broken=lambda lab: lab.container_broken(NEUROLINK),
    restore=lambda lab: lab.shell(
        f"docker inspect {NEUROLINK} --format '{{{{.Config.Image}}}}' | grep -q redis && docker rm -f {NEUROLINK}; true"
    ),
    causes=("NAME_TAKEN_BY_OURS", "CONTAINER_ALTERED", "SERVICE_STOPPED"),
)

"""The application's process hangs: the container is up, and nothing is answered."""

from bed import APP
from faultcase import Case

CASE = Case(
    id="health-service-hung",
    title="the application hangs (SIGSTOP), its container is up",
    rows=("U09",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"kill -STOP $(docker inspect -f '{{{{.State.Pid}}}}' {APP})"),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the application does not answer",
    causes=("SERVICE_HUNG",),
    watched=True,
)

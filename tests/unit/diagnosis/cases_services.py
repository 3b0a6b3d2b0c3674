"""Cases of services on their host: what they claim, what they write to, how they live and end."""

from __future__ import annotations

from situations import HOME, PROJECT, SILENT, Case, drift, error, failure, service, situation

NO_BIND = 'Error response from daemon: invalid mount config for type "bind": bind source path does not exist: /srv/none'
UP = "COMPOSE_UP_FAILED"
ALLOCATED = (
    "driver failed programming external connectivity on endpoint tsh_erp_app_staging (97280359c01c): "
    "Bind for 127.0.0.1:8002 failed: port is already allocated"
)
IN_USE = (
    "driver failed programming external connectivity on endpoint tsh_erp_app_staging (c31f6269f878): "
    "Error starting userland proxy: listen tcp4 127.0.0.1:8002: bind: address already in use"
)
CONFLICT = (
    'Error response from daemon: Conflict. The container name "/tsh_neurolink" is already in use by container '
    '"e3164574d5a4". You have to remove (or rename) that container to be able to reuse that name.'
)
PYTHON = {"address": "127.0.0.1", "port": 8002, "process": "python3", "pid": 8785, "unit": "squat.service"}
THIEF = {**PYTHON, "process": "docker-proxy", "container": "thief", "project": "other", "service": "web"}
LEFTOVER = {**THIEF, "container": "tsh_old", "project": PROJECT, "service": "old"}
STRANGER = {
    "id": "e3",
    "container": "tsh_neurolink",
    "project": "other",
    "service": "n",
    "state": "exited",
    "image": "n:1",
}
CREATED = {"state": "created", "health": "none", "exit_code": 128}
STOPPED = {"state": "exited", "health": "unhealthy", "exit_code": 143, "finished_at": "2026-11-24T18:40:12Z"}
CRASHED = {"state": "restarting", "health": "starting", "exit_code": 1, "restarts": 5}
NO_MODULE = error("ModuleNotFoundError", "No module named 'uvicorn'", file="/usr/local/bin/uvicorn", line=5)
NODE_MODULE = error("Error", "Cannot find module '/app/server.mjs'", language="node", code="MODULE_NOT_FOUND")
NO_IMAGES = error("RuntimeError", "Directory 'app/images' does not exist")
DENIED = error("PermissionError", "[Errno 13] Permission denied: '/app/uploads/x'")
DENIED_LOGS = error("PermissionError", "[Errno 13] Permission denied: '/var/cache/x'")
ATTRIBUTE = error("AttributeError", "'dict' object has no attribute 'retry_count'")
UNSET = (
    "error while interpolating services.app_staging.image: required variable SECRET_KEY is missing a value: is not set"
)
ROOT_OWNED = {f"{HOME}/uploads/staging": {"exists": True, "uid": 0, "mode": "0755"}}
KILLED = {"oom": [{"container": f"{2:064x}", "age_s": 61}]}
QUIET = {"ports": {"8002": {"/": SILENT, "/health": SILENT}, "3001": {}}}


def _app(*changes: dict[str, object], **more: object) -> dict[str, dict[str, object]]:
    fields: dict[str, object] = {}
    for each in (*changes, more):
        fields |= each
    return {"app_staging": service(**fields)}


CASES = (
    Case(
        "COMPOSE_FILE_BAD",
        "no YAML",
        situation(
            failure(
                "COMPOSE_INVALID", "yaml: line 1: did not find expected ',' or '}'", phase="compose-up", exit_status=15
            )
        ),
        situation(failure(UP, "yaml: line 1: did not find expected ',' or '}'", phase="compose-up")),
    ),
    Case(
        "COMPOSE_FILE_BAD",
        "an unknown key, by asking compose",
        situation(
            compose={
                "exit_status": 15,
                "error": f"validating {HOME}/d.yml: services.app Additional property nonsense is not allowed",
            }
        ),
        situation(compose={"exit_status": 124, "error": "no end after 2 s"}),
    ),
    Case(
        "COMPOSE_FILE_BAD",
        "a variable that nobody declared",
        situation(failure("COMPOSE_INVALID", UNSET.replace("SECRET_KEY", "TAG"), phase="compose-up")),
        situation(failure("COMPOSE_INVALID", UNSET, phase="compose-up"), env={"missing": ["SECRET_KEY"]}),
    ),
    Case(
        "COMPOSE_UNCONFINED",
        "refused before it starts",
        situation(
            failure("COMPOSE_UNCONFINED", "docker-compose.staging.yml: app_staging: privileged", phase="compose-up")
        ),
        situation(failure("COMPOSE_INVALID", "privileged must be a boolean", phase="compose-up")),
    ),
    Case(
        "PORT_TAKEN",
        "by a process, in the engine's words",
        situation(services=_app(CREATED, error=IN_USE), listeners=[PYTHON]),
        situation(services=_app(STOPPED)),
        "8002",
    ),
    Case(
        "PORT_TAKEN",
        "by another project",
        situation(failure(UP, f"Error response from daemon: {ALLOCATED}", phase="compose-up"), listeners=[THIEF]),
        situation(failure(UP, f"Error response from daemon: {ALLOCATED}", phase="compose-up"), listeners=[LEFTOVER]),
        "8002",
    ),
    Case(
        "PORT_TAKEN",
        "by facts alone: the service does not run, and a stranger listens",
        situation(services=_app(STOPPED), listeners=[PYTHON]),
        situation(services=_app(STOPPED), listeners=[{**PYTHON, "port": 8003}]),
        "8002",
    ),
    Case(
        "PORT_TAKEN_BY_OURS",
        "a leftover of the project",
        situation(services=_app(CREATED, error=ALLOCATED), listeners=[LEFTOVER]),
        situation(services=_app(CREATED, error=ALLOCATED), listeners=[THIEF]),
        "port 8002",
    ),
    Case(
        "NAME_TAKEN",
        "by another project",
        situation(failure(UP, CONFLICT, phase="compose-up"), containers={"others": [STRANGER]}),
        situation(failure(UP, CONFLICT, phase="compose-up"), containers={"others": [{**STRANGER, "project": PROJECT}]}),
        "tsh_neurolink",
    ),
    Case(
        "NAME_TAKEN_BY_OURS",
        "a leftover of the project",
        situation(
            failure(UP, CONFLICT, phase="compose-up"), services={"old": service("old", container="tsh_neurolink")}
        ),
        situation(failure("SERVICE_CRASHED", CONFLICT, phase="compose-up"), containers={"others": [STRANGER]}),
        "the name tsh_neurolink",
    ),
    Case(
        "NAME_TAKEN_BY_OURS",
        "by facts alone: the service has no container, and a leftover has its name",
        situation(services={"redis_staging": None, "old": service("old", container="redis_staging")}),
        situation(services={"redis_staging": None, "old": service("old", container="tsh_old")}),
        "the name redis_staging",
    ),
    Case(
        "CONTAINER_ALTERED",
        "limits changed by hand",
        situation(drift=drift("service app_staging has another limit of memory bytes", "ComposeStack")),
        situation(drift=drift("service app_staging has no container", "ComposeStack")),
        "app_staging",
    ),
    Case(
        "CONTAINER_ALTERED",
        "a stranger in the project",
        situation(services={"miner": service("miner")}),
        situation(containers={"others": [STRANGER]}),
        "miner",
    ),
    Case(
        "CONTAINER_ALTERED",
        "made by another hand; the containers of a release that does not start are its own",
        situation(drift=drift("service app_staging runs with another configuration", "ComposeStack")),
        situation(
            failure("SERVICE_CRASHED", "ImportError", phase="compose-up"),
            drift=drift("service app_staging runs with another configuration", "ComposeStack"),
        ),
        "app_staging",
    ),
    Case(
        "DEPENDENCY_UNHEALTHY",
        "and nothing tells why",
        situation(
            failure(UP, "dependency failed to start: container tsh_postgres_staging is unhealthy", phase="compose-up")
        ),
        situation(
            failure("SERVICE_CRASHED", "log: dependency failed to start: container x is unhealthy", phase="compose-up")
        ),
        "tsh_postgres_staging",
    ),
    Case(
        "DIRECTORY_OWNER",
        "made by dockerd, as root",
        situation(services=_app(CRASHED, first_error=DENIED), directories=ROOT_OWNED),
        situation(services=_app(CRASHED, first_error=DENIED)),
        f"{HOME}/uploads/staging",
    ),
    Case(
        "DIRECTORY_OWNER",
        "gone",
        situation(directories={f"{HOME}/logs/staging": {"exists": False, "uid": -1}}),
        situation(directories={"/srv/other": {"exists": False, "uid": -1}}),
        f"{HOME}/logs/staging",
    ),
    Case(
        "DIRECTORY_UNDECLARED",
        "in the image",
        situation(services=_app(CRASHED, first_error=DENIED_LOGS)),
        situation(services=_app(CRASHED, first_error=DENIED), directories=ROOT_OWNED),
        "/var/cache/x",
    ),
    Case(
        "DIRECTORY_UNDECLARED",
        "a bind that nobody made",
        situation(
            failure(
                UP,
                NO_BIND,
                phase="compose-up",
            )
        ),
        situation(
            failure(
                UP,
                f'Error response from daemon: invalid mount config for type "bind": bind source path does not exist: {HOME}/logs/staging',
                phase="compose-up",
            )
        ),
        "/srv/none",
    ),
    Case(
        "DIRECTORY_UNDECLARED",
        "a bind that nobody made, met by the migration",
        situation(failure("MIGRATION_FAILED", NO_BIND, phase="migrate")),
        situation(failure("MIGRATION_FAILED", f"{NO_BIND}\nINFO  [alembic] it is only a log's line", phase="migrate")),
        "/srv/none",
    ),
    Case(
        "SERVICE_STOPPED",
        "by hand",
        situation(services=_app(STOPPED)),
        situation(services=_app(STOPPED, exit_code=1)),
        "app_staging",
    ),
    Case(
        "SERVICE_STOPPED",
        "paused",
        situation(services=_app(state="paused")),
        situation(services=_app(CRASHED, first_error=NO_MODULE)),
    ),
    Case(
        "SERVICE_STOPPED",
        "removed",
        situation(services={"redis_staging": None}),
        situation(containers={"engine": "Docker engine: 0: refused", "services": {}}),
        "redis_staging",
    ),
    Case(
        "SERVICE_STOPPED",
        "killed",
        situation(services=_app(STOPPED, exit_code=137)),
        situation(services=_app(STOPPED, exit_code=137, oom_killed=True)),
    ),
    Case(
        "SERVICE_OUT_OF_MEMORY",
        "by the engine's word",
        situation(services=_app(STOPPED, exit_code=137, oom_killed=True)),
        situation(services=_app(STOPPED, exit_code=137)),
        "app_staging",
    ),
    Case(
        "SERVICE_STOPPED",
        "beside a service that carries the flag of a neighbour's end",
        situation(services={"redis_staging": None, **_app(oom_killed=True, first_error=ATTRIBUTE)}),
        situation(services=_app(oom_killed=True)),
        "redis_staging",
    ),
    Case(
        "SERVICE_OUT_OF_MEMORY",
        "a process in it, and it is unhealthy since",
        situation(services=_app(health="unhealthy", oom_kills=1)),
        situation(services=_app(health="unhealthy", oom_killed=True)),
    ),
    Case(
        "SERVICE_OUT_OF_MEMORY",
        "long ago is no reason",
        situation(services=_app(CRASHED, exit_code=137, oom_killed=True)),
        situation(services=_app(health="unhealthy"), kernel={"oom": [{"container": f"{2:064x}", "age_s": 9000}]}),
    ),
    Case(
        "SERVICE_STOPPED",
        "by a person, minutes after the kernel had killed what ran in it before",
        situation(
            services=_app(STOPPED, exit_code=137, oom_killed=True, ended_age_s=3),
            kernel={"oom": [{"container": f"{2:064x}", "age_s": 200}]},
        ),
        situation(
            services=_app(STOPPED, exit_code=137, oom_killed=True, ended_age_s=3),
            kernel={"oom": [{"container": f"{2:064x}", "age_s": 3}]},
        ),
    ),
    Case(
        "SERVICE_OUT_OF_MEMORY",
        "by the kernel's word, in a loop of restarts",
        situation(
            services=_app(CRASHED, exit_code=137, ended_age_s=40),
            kernel={"oom": [{"container": f"{2:064x}", "task": "python", "pid": 7, "age_s": 41}]},
        ),
        situation(services=_app(STOPPED), kernel={"oom": [{"container": f"{7:064x}", "task": "python", "pid": 7}]}),
        "app_staging",
    ),
    Case(
        "SERVICE_HUNG",
        "a port that never answers",
        situation(http=QUIET),
        situation(services=_app(health="starting", age_s=5), http=QUIET),
        "app_staging",
    ),
    Case(
        "SERVICE_HUNG",
        "frozen while it starts, whatever it logged before",
        situation(services=_app(frozen=3, health="starting", age_s=5, first_error=ATTRIBUTE), http=QUIET),
        situation(services=_app(CRASHED, first_error=ATTRIBUTE), http=QUIET),
    ),
    Case(
        "SERVICE_HUNG",
        "frozen, a minute after it was killed for want of memory and started again",
        situation(services=_app(frozen=3, ended_age_s=60), kernel=KILLED, http=QUIET),
        situation(services=_app(ended_age_s=60, restarts=1), kernel=KILLED, http=QUIET),
    ),
    Case(
        "SERVICE_STOPPED",
        "paused, a minute after it was killed for want of memory and started again",
        situation(services=_app(state="paused", ended_age_s=60), kernel=KILLED),
        situation(services=_app(ended_age_s=60), kernel=KILLED),
        "app_staging",
    ),
    Case(
        "SERVICE_HUNG",
        "hours after an error that it survived",
        situation(services=_app(first_error={**ATTRIBUTE, "age_s": 7000}), http=QUIET),
        situation(services=_app(first_error={**ATTRIBUTE, "age_s": 7000}, recent=[ATTRIBUTE]), http=QUIET),
    ),
    Case(
        "SERVICE_HUNG",
        "unhealthy",
        situation(services=_app(health="unhealthy", health_log=[{"exit": 1, "output": "LOADING dataset in memory"}])),
        situation(
            services=_app(
                health="unhealthy",
                health_log=[{"exit": 22, "output": "curl: (22) The requested URL returned error: 404"}],
            )
        ),
    ),
    Case(
        "APP_IMPORT_FAILED",
        "a package that is not in the image",
        situation(services=_app(CRASHED, first_error=NO_MODULE)),
        situation(services=_app(first_error=NO_MODULE)),
        "app_staging",
    ),
    Case(
        "APP_IMPORT_FAILED",
        "in Node",
        situation(
            services={
                "tds_admin_dashboard_staging": service(
                    "tds_admin_dashboard_staging", **CRASHED, first_error=NODE_MODULE
                )
            }
        ),
        situation(services=_app(CRASHED, first_error=ATTRIBUTE)),
    ),
    Case(
        "APP_IMPORT_FAILED",
        "while its container is up",
        situation(services=_app(health="unhealthy", first_error=NO_MODULE), http=QUIET),
        situation(services=_app(health="unhealthy", first_error=NO_IMAGES), http=QUIET),
    ),
    Case(
        "APP_DIRECTORY_MISSING",
        "an empty directory that git does not keep",
        situation(services=_app(CRASHED, first_error=NO_IMAGES)),
        situation(services=_app(CRASHED, first_error=error("ValueError", "Directory 'x' does not exist"))),
    ),
    Case(
        "APP_CRASHED",
        "an error of its own",
        situation(
            failure("SERVICE_CRASHED", "AttributeError", phase="compose-up"),
            services=_app(CRASHED, first_error=ATTRIBUTE),
        ),
        situation(services=_app(STOPPED)),
        "app_staging",
    ),
    Case(
        "APP_CRASHED",
        "a status of its own and no word",
        situation(services=_app(STOPPED, exit_code=3, log=["cannot start"])),
        situation(services=_app(STOPPED, exit_code=130)),
    ),
)

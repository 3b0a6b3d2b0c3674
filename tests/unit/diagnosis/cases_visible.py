"""Cases of what a visitor meets: schema, database, health, proxy, certificate, name."""

from __future__ import annotations

from situations import SILENT, Case, answer, drift, error, failure, healthy, service, situation, statement, unit

MIGRATE = "MIGRATION_FAILED"
HEADS = (
    "FAILED: Multiple head revisions are present for given argument 'head'; please specify a specific target revision"
)
UNDEFINED = error("psycopg2.errors.UndefinedTable", 'relation "branches" does not exist', following=["LINE 1: SELECT"])
AT_START = {**UNDEFINED, "age_s": 8900}
COLUMN = error("psycopg.errors.UndefinedColumn", "column orders.retry_count does not exist")
ENUM = error("LookupError", "'ACTIVE' is not among the defined enum values. Enum name: status")
TRACEBACK = """INFO  [alembic.runtime.migration] Running upgrade 0001 -> 0002, more
Traceback (most recent call last):
  File "/app/migrations/versions/0002_more.py", line 9, in upgrade
    op.execute("ALTER TABLE x ADD y int")
psycopg2.errors.{}
"""
SERVER = healthy()["database"]["servers"][0]
NOTHING_BEHIND = {"dns": {"domain": {"name": "staging.erp.tsh.sale", "addresses": [], "error": "NXDOMAIN"}}}
UNHEALTHY = {"health": "unhealthy", "check": ["CMD-SHELL", "curl -fsS http://localhost:3000/ || exit 1"]}
NOT_FOUND = {"exit": 22, "output": "curl: (22) The requested URL returned error: 404"}
REFUSED = {"exit": 7, "output": "curl: (7) Failed to connect to localhost port 3000: Connection refused"}
SILENT_CHECK = {**UNHEALTHY, "health_log": [{"exit": 1, "output": "The answer is not 200"}]}
VAIN = {"inside": "8000", "path": "/healthz", "published": True, "status": 404}
TIMED_OUT = {"exit": -1, "output": "Health check exceeded timeout (10s)"}
BOARD = "tds_admin_dashboard_staging"
STARTING = "psql: error: connection to server on socket failed: FATAL:  the database system is starting up"
TOO_MANY = "psql: error: connection to server on socket failed: FATAL:  sorry, too many clients already"
DATA = {"path": "/mnt/data", "size_bytes": 5 * 1024**3, "free_bytes": 0, "percent": 100.0, "inodes_percent": 1.0}
PANIC = ['2026-11-24 18:00:00.000 UTC [9] PANIC:  could not write to file "pg_wal/xlogtemp.9": No space left on device']


def _server(**changes: object) -> dict[str, object]:
    return {"servers": [{**SERVER, **changes}]}


def _units(**changes: object) -> dict[str, object]:
    return {"units": {"docker.service": unit(), "caddy.service": {**unit(), **changes}}}


CASES = (
    Case(
        "MULTIPLE_HEADS",
        "the tool refuses",
        situation(failure(MIGRATE, HEADS, phase="migrate", exit_status=255)),
        situation(failure("SERVICE_CRASHED", HEADS, phase="compose-up")),
    ),
    Case(
        "MULTIPLE_HEADS",
        "the tool lists two",
        situation(schema={"heads": {"stdout": "7f3a (head)\n81c2 (head)\n"}}),
        situation(schema={"heads": {"stdout": "7f3a (head)\n"}}),
    ),
    Case(
        "MIGRATION_CONFIG_MISSING",
        "no alembic.ini",
        situation(
            failure(
                MIGRATE,
                "  FAILED: No config file 'alembic.ini' found, or file has no '[alembic]' section".strip(),
                phase="migrate",
            )
        ),
        situation(failure(MIGRATE, HEADS, phase="migrate")),
    ),
    Case(
        "MIGRATION_CONFIG_MISSING",
        "another script_location",
        situation(
            failure(
                MIGRATE, "FAILED: Path doesn't exist: '/app/alembic'.  Please use the 'init' command", phase="migrate"
            )
        ),
        situation(failure("SERVICE_CRASHED", "FAILED: Path doesn't exist: '/app/alembic'.", phase="compose-up")),
    ),
    Case(
        "SCHEMA_BEHIND",
        "all healthy, and no table",
        situation(database=_server(revision="", tables=0)),
        situation(
            failure(MIGRATE, TRACEBACK.format("DuplicateTable: x"), phase="migrate"), database=_server(revision="6a10")
        ),
    ),
    Case(
        "SCHEMA_BEHIND",
        "a revision less",
        situation(database=_server(revision="6a10")),
        situation(database=_server(revision=None)),
    ),
    Case(
        "SCHEMA_BEHIND",
        "by a look",
        situation(drift=drift("the schema is at revision 6a10 instead of 7f3a", "Migrations")),
        situation(drift=drift("where the schema stands is unknown: service app_staging can't tell", "Migrations")),
    ),
    Case(
        "SCHEMA_DRIFT",
        "a table that no migration makes",
        situation(services={"app_staging": service(health="unhealthy", first_error=UNDEFINED)}),
        situation(services={"app_staging": service(first_error=UNDEFINED)}),
        "branches",
    ),
    Case(
        "SCHEMA_DRIFT",
        "a table that is missing since the start, of a service that has been ill since then",
        situation(services={"app_staging": service(health="unhealthy", age_s=9000, first_error=AT_START)}),
        situation(services={"app_staging": service(health="unhealthy", age_s=90_000, first_error=AT_START)}),
    ),
    Case(
        "SCHEMA_DRIFT",
        "a request that fails now, by an error of now",
        situation(http={"public": {"/ready": answer(500)}}, services={"app_staging": service(first_error=UNDEFINED)}),
        situation(http={"public": {"/ready": answer(500)}}, services={"app_staging": service(first_error=AT_START)}),
    ),
    Case(
        "SCHEMA_DRIFT",
        "a column that is gone, after older errors",
        situation(
            statements=statement("orders", "GET /orders answered 500: oops"),
            services={"app_staging": service(first_error=error("OSError", "x"), recent=[COLUMN])},
        ),
        situation(
            statements=statement("orders", "GET /orders answered 404: oops"), services={"app_staging": service()}
        ),
        "orders.retry_count",
    ),
    Case(
        "SCHEMA_DRIFT",
        "another case of an enum",
        situation(
            statements=statement("orders", "GET /orders answered 500: oops"),
            services={"app_staging": service(first_error=ENUM)},
        ),
        situation(services={"app_staging": service(health="unhealthy", first_error=error("LookupError", "no"))}),
    ),
    Case(
        "MIGRATION_FAILED",
        "the second of three",
        situation(failure(MIGRATE, TRACEBACK.format("NotNullViolation: null value in column"), phase="migrate")),
        situation(failure("SERVICE_CRASHED", TRACEBACK.format("NotNullViolation: null"), phase="compose-up")),
    ),
    Case(
        "DATABASE_LOCKED",
        "by an idle transaction",
        situation(
            failure(
                MIGRATE, TRACEBACK.format("LockNotAvailable: canceling statement due to lock timeout"), phase="migrate"
            ),
            database=_server(idle=[{"pid": 412, "state": "idle in transaction", "age_s": 912}], revision="6a10"),
        ),
        situation(database=_server(idle=[{"pid": 412, "state": "idle in transaction", "age_s": 912}])),
    ),
    Case(
        "DATABASE_LOCKED",
        "until the migration's own deadline",
        situation(
            failure(MIGRATE, "no end after 600 s", phase="migrate", exit_status=124),
            database=_server(idle=[{"pid": 412, "state": "idle in transaction", "age_s": 912}], revision=None),
        ),
        situation(failure(MIGRATE, "no end after 600 s", phase="migrate", exit_status=124)),
    ),
    Case(
        "DATABASE_LOCKED",
        "others wait right now",
        situation(database=_server(blockers=[{"pid": 412, "state": "active", "age_s": 60, "waiting": 3}])),
        situation(database=_server(blockers=[{"pid": 412, "state": "active", "age_s": 1, "waiting": 1}])),
    ),
    Case(
        "DATABASE_STARTING",
        "by its own word",
        situation(database=_server(answers=False, error=STARTING)),
        situation(services={"app_staging": service(log=[STARTING])}),
        "tsh_postgres_staging",
    ),
    Case(
        "DATABASE_FULL_OF_CONNECTIONS",
        "by its own word",
        situation(database=_server(answers=False, error=TOO_MANY)),
        situation(
            services={"app_staging": service(health="unhealthy", first_error=error("OperationalError", TOO_MANY))}
        ),
        "tsh_postgres_staging",
    ),
    Case(
        "DATABASE_FULL_OF_CONNECTIONS",
        "by count",
        situation(database=_server(connections=98)),
        situation(database=_server(connections=60)),
    ),
    Case(
        "DATABASE_DISK_FULL",
        "the volume",
        situation(
            disk={"systems": [DATA]},
            services={"tsh_postgres_staging": service("tsh_postgres_staging", health="unhealthy", marks=PANIC)},
        ),
        situation(disk={"systems": [{**DATA, "path": "/"}]}),
        "/mnt/data",
    ),
    Case(
        "HEALTH_CHECK_WRONG",
        "the base path",
        situation(services={BOARD: service(BOARD, **UNHEALTHY, health_log=[NOT_FOUND])}),
        situation(services={BOARD: service(BOARD, **UNHEALTHY, health_log=[{"exit": 1, "output": "boom"}])}),
        BOARD,
    ),
    Case(
        "HEALTH_CHECK_WRONG",
        "a path that there is not, by asking the same from outside",
        situation(services={"app_staging": service(**SILENT_CHECK, check_answer=VAIN)}),
        situation(services={"app_staging": service(**SILENT_CHECK, check_answer={**VAIN, "status": 503})}),
        "app_staging",
    ),
    Case(
        "HEALTH_CHECK_WRONG",
        "the port",
        situation(services={BOARD: service(BOARD, **UNHEALTHY, health_log=[REFUSED])}),
        situation(
            services={BOARD: service(BOARD, **UNHEALTHY, health_log=[REFUSED])}, http={"ports": {"3001": {"/": SILENT}}}
        ),
    ),
    Case(
        "HEALTH_SLOW",
        "the probe's deadline",
        situation(
            services={BOARD: service(BOARD, **UNHEALTHY, health_log=[TIMED_OUT])},
            http={"ports": {"3001": {"/tds-admin": answer(milliseconds=2400)}}},
        ),
        situation(services={BOARD: service(BOARD, **UNHEALTHY, health_log=[TIMED_OUT])}),
    ),
    Case(
        "HEALTH_SLOW",
        "the proof's budget",
        situation(statements=statement("health", "GET /health took 0.89 s; expected at most 0.5")),
        situation(statements=statement("health", "GET /health answered 200: took 0.89 s")),
    ),
    Case(
        "APP_ERRORS",
        "500 with a traceback",
        situation(
            statements=statement("orders", "GET /api/orders answered 500: Internal Server Error; expected 200"),
            services={
                "app_staging": service(first_error=error("AttributeError", "'dict' object has no attribute 'id'"))
            },
        ),
        situation(statements=statement("orders", "GET /api/orders answered 403: no; expected 200")),
        "GET /api/orders",
    ),
    Case(
        "APP_ERRORS",
        "the health path",
        situation(http={"public": {"/ready": answer(503)}}),
        situation(http={"public": {"/ready": answer(502)}}),
    ),
    Case(
        "ENDPOINT_MISSING",
        "a shadowed route",
        situation(statements=statement("bff", 'GET /bff/home answered 422: {"type":"int_parsing"}; expected 200')),
        situation(statements=statement("bff", "GET /bff/home answered 403: not yours; expected 200")),
        "GET /bff/home",
    ),
    Case(
        "ENDPOINT_MISSING",
        "404",
        situation(statements=statement("bff", "GET /x answered 404: no; expected 200")),
        situation(),
    ),
    Case(
        "PROXY_DOWN",
        "stopped",
        situation(units=_units(active="inactive", sub="dead")),
        situation(units=_units()),
        "caddy.service",
    ),
    Case(
        "PROXY_DOWN",
        "hung",
        situation(
            http={"public": {"/health": SILENT}},
            proxy={"running": False},
            certificate={"served": False, "error": "TimeoutError"},
        ),
        situation(http={"public": {"/health": SILENT}}),
    ),
    Case(
        "PROXY_ALTERED",
        "by a look",
        situation(drift=drift("the proxy's configuration differs", "Proxy"), proxy={"differs": True}),
        situation(proxy={"differs": True}),
    ),
    Case(
        "PROXY_ALTERED",
        "no configuration any more",
        situation(
            proxy={
                "adapt_status": 1,
                "error": "Error: adapting config using caddyfile: unrecognized directive: nonsense",
            }
        ),
        situation(proxy={"adapt_status": 127, "error": "caddy: not found"}),
    ),
    Case(
        "PROXY_STALE",
        "not reloaded",
        situation(proxy={"differs": True}),
        situation(proxy={"differs": True, "running": False}),
    ),
    Case(
        "PROXY_STALE",
        "by a look",
        situation(drift=drift("the proxy runs with another configuration than its file", "Proxy")),
        situation(drift=drift("the proxy's admin socket is missing", "Proxy")),
    ),
    Case(
        "PROXY_CONFIG_BAD",
        "the rendered one",
        situation(failure("PROXY_INVALID", "Error: adapting config: parsing caddyfile tokens", phase="proxy")),
        situation(failure("PROXY_FAILED", "Error: adapting config", phase="proxy")),
    ),
    Case(
        "FIREWALL_ALTERED",
        "in the cloud",
        situation(drift=drift("firewall: inboundRules was changed", "Firewall", layer="digitalocean")),
        situation(drift=drift("droplet: tags was changed", "Droplet", layer="digitalocean")),
    ),
    Case(
        "FIREWALL_ALTERED",
        "on the host",
        situation(drift=drift("the packet filter differs", "Hardening")),
        situation(drift=drift("/etc/issue was changed", "Hardening")),
    ),
    Case(
        "CERTIFICATE_EXPIRED",
        "by its dates",
        situation(certificate={"verify_code": 10, "not_after": "2025-02-01T00:00:00Z"}),
        situation(certificate={"verify_code": 9}),
        "staging.erp.tsh.sale",
    ),
    Case(
        "CERTIFICATE_EARLY",
        "and the host's clock is behind",
        situation(certificate={"verify_code": 9, "not_before": "2026-12-01T00:00:00Z", "skew_s": -90000}),
        situation(certificate={"verify_code": 10}),
    ),
    Case(
        "CERTIFICATE_NAME",
        "another name",
        situation(certificate={"verify_code": 62, "names": ["other.test"]}),
        situation(certificate={"verify_code": 10}),
    ),
    Case(
        "CERTIFICATE_NAME",
        "none at all",
        situation(
            certificate={
                "served": False,
                "error": "SSLError: [SSL: TLSV1_ALERT_INTERNAL_ERROR] tlsv1 alert internal error",
            }
        ),
        situation(certificate={"served": False, "error": "ConnectionRefusedError: [Errno 111] Connection refused"}),
    ),
    Case(
        "DNS_RECORD_WRONG",
        "by a look",
        situation(drift=drift("record is gone", "DnsRecord", layer="digitalocean")),
        situation(drift=drift("droplet: size was changed", "Droplet", layer="digitalocean")),
    ),
    Case(
        "DNS_RECORD_WRONG",
        "by the host's resolver",
        situation(dns={"domain": {"name": "staging.erp.tsh.sale", "addresses": ["198.51.100.1"], "error": ""}}),
        situation(dns={"domain": {"name": "staging.erp.tsh.sale", "addresses": [], "error": "NXDOMAIN"}}),
    ),
    Case(
        "DNS_UNMANAGED",
        "no record at the registrar",
        situation(statements=statement("certificate", "no address"), declared={"manages_dns": False}, **NOTHING_BEHIND),
        situation(declared={"manages_dns": False}, **NOTHING_BEHIND),
    ),
)

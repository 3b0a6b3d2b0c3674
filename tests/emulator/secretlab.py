"""A lab for secrets: a workload with a PostgreSQL of its own, readers of single secrets, and a list of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hostlab import DIRECTORY, Lab, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = {"secret": "DB_PASSWORD", "service": "db", "role": "keeper", "name": "books", "superuser": ""}
COMPOSE = """
x-app: &app {image: "hello-app:${IMAGE_TAG:?is not set}", build: ., init: true, restart: always}
services:
  cache:
    image: redis:7-alpine
    init: true
    restart: always
    healthcheck: {test: [CMD, redis-cli, ping], interval: 10s, start_period: 30s, start_interval: 300ms}
  db:
    image: postgres:15-alpine
    restart: always
    environment: {POSTGRES_USER: keeper, POSTGRES_DB: books, POSTGRES_PASSWORD: "${DB_PASSWORD:?is not set}"}
    command: [postgres, -c, log_statement=all, -c, log_min_duration_statement=0]
    volumes: ["books:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, -q, -h, 127.0.0.1, -U, keeper, -d, books]
      interval: 10s
      start_period: 60s
      start_interval: 300ms
  app:
    <<: *app
    environment: {DATABASE_URL: "${DATABASE_URL:?is not set}"}
    depends_on: {db: {condition: service_healthy}}
    ports: ["127.0.0.1:8002:8000"]
    volumes: [{type: bind, source: ./state, target: /state, bind: {create_host_path: false}}]
    healthcheck: {test: [CMD, python, /app/app.py, probe], interval: 10s, start_period: 30s, start_interval: 300ms}
  mailer:
    <<: *app
    environment: {MAIL_KEY: "${MAIL_KEY:?is not set}"}
    healthcheck: {test: [CMD, python, /app/app.py, probe], interval: 10s, start_period: 30s, start_interval: 300ms}
volumes:
  books: {}
"""
TEMPLATE = """# what the workload reads
DB_PASSWORD=<CHANGE_ME>
DATABASE_URL=
MAIL_KEY=<CHANGE_ME>
IMAGE_TAG=x
"""


class SecretsLab(Lab):
    """A lab whose workload has a database of its own and lists its variables. It remembers what it was last given."""

    given: Wish

    def rotate(self, **secrets: str) -> dict[str, str]:
        """Run with new values for some secrets; return the operation that each resource took."""
        self.given.secrets |= secrets
        return self.run(self.given)

    def settle(self) -> dict[str, str]:
        """Run once more with what was given last."""
        return self.run(self.given)

    def _inputs(self, reach: dict[str, Any], wish: Wish) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, inputs in super()._inputs(reach, wish):
            if "workload" in inputs:
                inputs["workload"] |= {"secrets": sorted(wish.secrets), "databases": [ROLE]}
            if name == "images":
                provided = ["IMAGE_TAG", *wish.values, *wish.secrets]
                inputs["template"] = {"path": f"{DIRECTORY}/.env.template", "provided": sorted(provided)}
            yield name, inputs

    @property
    def containers(self) -> dict[str, str]:
        return {name: self.container(name) for name in ("cache", "db", "app", "mailer")}

    def query(self, password: str, sql: str) -> str:
        """Ask the database over the network, as a client that has to know the password."""
        self.shell(f"umask 077; cat >~root/.query <<'E'\nPGPASSWORD={password}\nE")
        argv = f'psql -h db -U keeper -d books -Atc "{sql}"'
        run = f"docker run --rm --network hello_default --env-file ~root/.query postgres:15-alpine {argv} 2>&1 || true"
        return self.shell(f"{run}; rm ~root/.query").strip()


def wish_of(commit: str, password: str, mail: str = "mail-key-canary-1") -> Wish:
    url = "postgresql://keeper:{{ DB_PASSWORD }}@db:5432/books"
    return Wish(commit, {"DB_PASSWORD": password, "MAIL_KEY": mail}, {"DATABASE_URL": url})

#!/bin/bash
# The contract of the official image: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS,
# POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD (each of the first four also as NAME_FILE) count at the first start
# of an empty data directory, which then runs /docker-entrypoint-initdb.d; afterwards the directory is left as it is.
set -euo pipefail

[[ "${1:-}" == -* ]] && set -- postgres "$@"
[[ "${1:-}" == postgres ]] || exec "$@"
for word in "$@"; do
  case "$word" in -\? | --help | --describe-config | -V | --version) exec "$@" ;; esac
done

if [[ "$(id -u)" == 0 ]]; then
  install -d -m 0700 "$PGDATA"
  install -d -m 3775 /var/run/postgresql
  [[ -z "${POSTGRES_INITDB_WALDIR:-}" ]] || install -d -m 0700 -o postgres "$POSTGRES_INITDB_WALDIR"
  find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres {} +
  exec gosu postgres "$BASH_SOURCE" "$@"
fi

setting() { # NAME DEFAULT: the variable, or the content of the file that NAME_FILE names, or the default
  local file="$1_FILE"
  if [[ -n "${!1:-}" && -n "${!file:-}" ]]; then
    echo "error: $1 and $file are both set; set one of them" >&2
    exit 1
  fi
  if [[ -n "${!file:-}" ]]; then printf '%s' "$(<"${!file}")"; else printf '%s' "${!1:-$2}"; fi
}

run_sql() { psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$user" --dbname "$@"; }

initialise() {
  local user password database arguments method script
  user=$(setting POSTGRES_USER postgres)
  password=$(setting POSTGRES_PASSWORD '')
  database=$(setting POSTGRES_DB "$user")
  arguments=$(setting POSTGRES_INITDB_ARGS '')
  method="${POSTGRES_HOST_AUTH_METHOD:-}"
  if [[ -z "$password" && "$method" != trust ]]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    echo '       Give POSTGRES_PASSWORD a value that is not empty, or set POSTGRES_HOST_AUTH_METHOD=trust.' >&2
    exit 1
  fi
  [[ -z "${POSTGRES_INITDB_WALDIR:-}" ]] || arguments+=" --waldir=$POSTGRES_INITDB_WALDIR"
  # shellcheck disable=SC2086 # the arguments are words by contract
  initdb --username="$user" --pwfile=<(printf '%s\n' "$password") $arguments
  printf '\nhost all all all %s\n' "${method:-$(postgres -C password_encryption)}" >>"$PGDATA/pg_hba.conf"

  PGUSER="$user" pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -p ${PGPORT:-5432}" start
  export PGPASSWORD="$password" PGHOST=
  if [[ "$database" != postgres ]]; then
    run_sql postgres --set db="$database" <<<'CREATE DATABASE :"db" ;'
  fi
  for script in /docker-entrypoint-initdb.d/*; do
    case "$script" in
      *.sh) echo "$0: running $script"; if [[ -x "$script" ]]; then "$script"; else . "$script"; fi ;;
      *.sql) echo "$0: running $script"; run_sql "$database" -f "$script" ;;
      *.sql.gz) echo "$0: running $script"; gunzip -c "$script" | run_sql "$database" ;;
      *.sql.xz) echo "$0: running $script"; xz -dc "$script" | run_sql "$database" ;;
    esac
  done
  PGUSER="$user" pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD PGHOST
  printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

if [[ -s "$PGDATA/PG_VERSION" ]]; then
  printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
else
  initialise
fi
exec "$@"

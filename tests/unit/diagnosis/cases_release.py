"""Cases of a release on its way to the host: secrets, environment, source, images."""

from __future__ import annotations

from situations import COMMIT, HOME, Case, drift, error, failure, service, situation

BUILD, PULL = "IMAGE_BUILD_FAILED", "IMAGE_PULL_FAILED"
UNLOCKED = {
    "folder": "dashboard",
    "lock_file": "dashboard/package-lock.json",
    "ignored_by": ".gitignore:12:package-lock.json",
    "dockerfile": "dashboard/Dockerfile",
    "number": 5,
    "line": "RUN npm ci --no-audit",
    "image": "node:20-alpine",
}
EUSAGE = """#8 [tds_admin_dashboard_staging builder 4/6] RUN npm ci --no-audit
#8 0.521 npm error code EUSAGE
#8 0.524 npm error
#8 0.524 npm error The `npm ci` command can only install with an existing package-lock.json or
#8 0.524 npm error npm-shrinkwrap.json with lockfileVersion >= 1. Run an install with npm@5 or
#8 ERROR: process "/bin/sh -c npm ci --no-audit" did not complete successfully: exit code: 1
failed to solve: process "/bin/sh -c npm ci --no-audit" did not complete successfully: exit code: 1"""
CHECKSUM = """#7 [app 3/4] COPY package.json package-lock.json ./
#7 ERROR: failed to calculate checksum of ref 66d8cb47-6861::352714apz0onwzr1: "/package-lock.json": not found
failed to solve: failed to compute cache key: failed to calculate checksum of ref 66d8cb47-6861::352714ap: "/package-lock.json": not found"""
NO_REQUIREMENTS = """#5 3.028 ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'tds_core/requirements.txt'
#5 ERROR: process "/bin/sh -c pip install -r tds_core/requirements.txt" did not complete successfully: exit code: 1"""
NO_TOOL = """#5 0.401     raise child_exception_type(errno_num, err_msg, err_filename)
#5 0.401 FileNotFoundError: [Errno 2] No such file or directory: 'c++'
failed to solve: process "/bin/sh -c pip install x" did not complete successfully: exit code: 1"""
NO_GCC = """#5 0.459 /bin/sh: 1: gcc: not found
failed to solve: process "/bin/sh -c gcc -v" did not complete successfully: exit code: 127"""
KILLED = """#5 0.347 Killed
failed to solve: process "/bin/sh -c npm run build" did not complete successfully: exit code: 137"""
TYPES = """#12 9.114 src/orders.ts(14,7): error TS2322: Type 'string' is not assignable to type 'number'.
failed to solve: process "/bin/sh -c npm run build" did not complete successfully: exit code: 2"""
NO_ANSWER = """#2 ERROR: failed to do request: Head "https://registry-1.docker.io/v2/library/python/manifests/3.11-slim": dial tcp: lookup registry-1.docker.io on 10.255.255.53:53: no such host
failed to solve: python:3.11-slim: failed to resolve source metadata for docker.io/library/python:3.11-slim: failed to do request: Head "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host"""
NO_TAG = "failed to solve: python:3.99-slim: failed to resolve source metadata for docker.io/library/python:3.99-slim: docker.io/library/python:3.99-slim: not found"
NO_TAG_THERE = "failed to solve: r.test:5000/library/node:99: failed to resolve source metadata for r.test:5000/library/node:99: r.test:5000/library/node:99: not found"
DENIED = (
    "Error response from daemon: pull access denied for tsh-erp, repository does not exist or may require 'docker login': "
    "denied: requested access to the resource is denied"
)
MISSING = """Pulumi.staging.yaml: RESEND_API_KEY: nothing; expected a secret of at least 8 characters: greenroom secrets set RESEND_API_KEY -s staging
environment: ZOHO_CLIENT_SECRET: a placeholder; expected a secret of at least 8 characters: the variable ZOHO_CLIENT_SECRET in the environment"""
SETTING = "Pulumi.staging.yaml:11: droplet.region: 'fra9'; expected a region that DigitalOcean has"
URL_EATS = (
    "Pulumi.staging.yaml: POSTGRES_PASSWORD: characters that the URL DATABASE_URL would take for its own: write "
    "{{ NAME | url }} there, or another; expected a secret of at least 8 characters: greenroom secrets set"
)
ILL = {"state": "restarting", "health": "starting", "exit_code": 1, "restarts": 4}
PYDANTIC = error(
    "pydantic_core._pydantic_core.ValidationError",
    "1 validation error for Settings",
    following=["secret_key", "  Field required [type=missing, input_value={}, input_type=dict]"],
)
LOWER = error(
    "pydantic_core._pydantic_core.ValidationError",
    "1 validation error for Settings",
    following=[
        "log_level",
        "  String should match pattern '^(DEBUG|INFO)$' [type=string_pattern_mismatch, input_value='info']",
    ],
)
LIST = error(
    "pydantic_settings.sources.SettingsError",
    'error parsing value for field "cors_origins" from source "EnvSettingsSource"',
)
HOST_NAME = error(
    "psycopg2.OperationalError",
    'could not translate host name "b!c@tsh_postgres_staging" to address: Name or service not known',
)
PORT_CAST = error("ValueError", "Port could not be cast to integer value as 'a'")
INTERPOLATION = "ValueError: invalid interpolation syntax in 'postgresql://tsh_app_user:[secret]@tsh_postgres_staging/x' at position 27"
ENV = f"{HOME}/.env.staging"
GONE = {"is_checkout": False, "exists": False, "entries": [], "head": ""}
RESOLVE = "fatal: unable to access 'https://git.example.test/tsh-erp.git/': Could not resolve host: git.example.test"
NOT_RESOLVED = {
    "repository": {
        "name": "git.example.test",
        "error": "[Errno -2] Name or service not known",
        "port": 443,
        "connects": False,
    }
}


def _ill(first: dict[str, object]) -> dict[str, dict[str, object]]:
    return {"app_staging": service(**ILL, first_error=first)}


CASES = (
    Case(
        "SECRET_MISSING",
        "two at once, before anything is touched",
        situation(failure("CONFIGURATION", MISSING, phase="settings")),
        situation(failure("CONFIGURATION", SETTING, phase="settings")),
        "RESEND_API_KEY, ZOHO_CLIENT_SECRET",
    ),
    Case(
        "SECRET_MISSING",
        "the template has one that nobody provides",
        situation(failure("ENV_INCOMPLETE", f"{ENV}.template:14: AWS_KEY: nobody provides it", phase="secrets")),
        situation(failure("ENV_TEMPLATE_MISSING", f"{ENV}.template is not in the repository", phase="secrets")),
        "AWS_KEY",
    ),
    Case(
        "SECRET_MISSING",
        "the application wants one that is not declared",
        situation(services=_ill(PYDANTIC), env={"names": ["DATABASE_URL"]}, declared={"env_names": ("DATABASE_URL",)}),
        situation(services=_ill(PYDANTIC)),
        "SECRET_KEY",
    ),
    Case(
        "ENV_FILE_ALTERED",
        "a placeholder where a secret was",
        situation(env={"placeholders": ["POSTGRES_PASSWORD"]}),
        situation(env={"placeholders": ["EMAIL_FROM_NAME"]}),
        ".env.staging",
    ),
    Case("ENV_FILE_ALTERED", "a variable is gone", situation(env={"missing": ["SECRET_KEY"]}), situation()),
    Case(
        "ENV_FILE_ALTERED",
        "by a look",
        situation(drift=drift(f"{ENV}: changed LOG_LEVEL", "EnvFile"), services=_ill(LOWER)),
        situation(drift=drift(f"{ENV}: changed LOG_LEVEL", "Checkout")),
    ),
    Case(
        "ENV_FILE_ALTERED",
        "the file is gone",
        situation(env={"exists": False, "names": []}),
        situation(env={"exists": False, "names": []}, git=GONE),
    ),
    Case(
        "ENV_SETTING_BAD",
        "a lower-case level",
        situation(services=_ill(LOWER)),
        situation(services=_ill(PYDANTIC)),
        "LOG_LEVEL",
    ),
    Case(
        "ENV_SETTING_BAD",
        "a comma list",
        situation(services=_ill(LIST)),
        situation(services=_ill(PORT_CAST)),
        "CORS_ORIGINS",
    ),
    Case(
        "ENV_SETTING_BAD",
        "a list that is raised because of another error",
        situation(services=_ill(error("json.decoder.JSONDecodeError", "Expecting value: line 1", then=[LIST]))),
        situation(services=_ill(error("json.decoder.JSONDecodeError", "Expecting value: line 1"))),
        "CORS_ORIGINS",
    ),
    Case(
        "PASSWORD_UNSAFE",
        "an @ in it",
        situation(services=_ill(HOST_NAME)),
        situation(services=_ill(LIST)),
        "DATABASE_URL",
    ),
    Case(
        "PASSWORD_UNSAFE",
        "a # in it",
        situation(services=_ill(PORT_CAST)),
        situation(services=_ill(error("ValueError", "no"))),
    ),
    Case(
        "PASSWORD_UNSAFE",
        "a % in it, for the migrations alone",
        situation(failure("MIGRATION_FAILED", INTERPOLATION, phase="migrate")),
        situation(failure("SERVICE_CRASHED", INTERPOLATION, phase="compose-up")),
    ),
    Case(
        "PASSWORD_UNSAFE",
        "refused before anything is touched",
        situation(failure("CONFIGURATION", URL_EATS, phase="settings")),
        situation(failure("CONFIGURATION", MISSING, phase="settings")),
        "POSTGRES_PASSWORD",
    ),
    Case(
        "DB_PASSWORD_DIFFERS",
        "the server's own verifier",
        situation(database={"passwords": {"POSTGRES_PASSWORD": "differs"}}),
        situation(
            services=_ill(
                error("psycopg2.OperationalError", 'FATAL:  password authentication failed for user "tsh_app_user"')
            )
        ),
        "POSTGRES_PASSWORD",
    ),
    Case(
        "DB_PASSWORD_DIFFERS",
        "by a look",
        situation(
            drift=drift(
                "tsh_app_user in tsh_postgres_staging has another password than POSTGRES_PASSWORD", "ComposeStack"
            )
        ),
        situation(database={"passwords": {"POSTGRES_PASSWORD": "unknown"}}),
    ),
    Case(
        "DB_PASSWORD_DIFFERS",
        "than the rendered one; an env file that somebody altered tells nothing of the role",
        situation(database={"passwords": {"POSTGRES_PASSWORD": "differs"}}),
        situation(
            database={"passwords": {"POSTGRES_PASSWORD": "differs"}},
            drift=drift(f"{ENV}: changed POSTGRES_PASSWORD", "EnvFile"),
        ),
        "POSTGRES_PASSWORD",
    ),
    Case("CHECKOUT_MISSING", "an empty server", situation(git=GONE), situation(), HOME),
    Case(
        "CHECKOUT_MISSING",
        "half a clone",
        situation(git={"head": ""}),
        situation(git={"is_checkout": False, "entries": ["wordpress"]}),
    ),
    Case(
        "DIRECTORY_OCCUPIED",
        "something else lives there",
        situation(
            failure("DIRECTORY_OCCUPIED", "index.php\nwp-config.php", phase="clone"),
            git={**GONE, "exists": True, "entries": ["index.php", "wp-config.php"]},
        ),
        situation(git=GONE),
        HOME,
    ),
    Case(
        "CHECKOUT_ALTERED",
        "edited on the host",
        situation(drift=drift(f"{HOME}/erp/main.py was edited", "Checkout")),
        situation(drift=drift(f"{HOME}/erp/main.py was edited", "Proxy")),
    ),
    Case(
        "CHECKOUT_ALTERED",
        "by git's own status",
        situation(git={"changed": [" M erp/main.py", "?? logs/"]}),
        situation(git={"changed": ["?? .env.staging", "?? logs/", "?? uploads/staging/"]}),
    ),
    Case(
        "COMMIT_GONE",
        "force-push, and the server hangs up",
        situation(
            failure(
                "COMMIT_MISSING",
                f"fatal: remote error: upload-pack: not our ref {COMMIT}\nfatal: the remote end hung up unexpectedly",
                phase="clone",
            )
        ),
        situation(failure("COMMIT_MISSING", RESOLVE, phase="clone")),
    ),
    Case(
        "COMMIT_GONE",
        "the branch is gone",
        situation(failure("BRANCH_MISSING", "no branch develop there", phase="source", exit_status=0)),
        situation(failure("FETCH_FAILED", "no branch develop there", phase="clone")),
        "develop",
    ),
    Case(
        "REPOSITORY_SILENT",
        "no name",
        situation(failure("FETCH_FAILED", RESOLVE, phase="clone", exit_status=128), dns=NOT_RESOLVED),
        situation(failure("SERVICE_CRASHED", RESOLVE, phase="compose-up"), dns=NOT_RESOLVED),
        "git.example.test:443",
    ),
    Case(
        "REPOSITORY_SILENT",
        "not within the deadline",
        situation(failure("GIT_TIMEOUT", "no answer within 20 s", phase="source", exit_status=None)),
        situation(failure("GIT_MISSING", "git is not installed here", phase="source", exit_status=None)),
    ),
    Case(
        "REPOSITORY_REFUSED",
        "a rotated deploy key",
        situation(failure("FETCH_FAILED", "git@git.example.test: Permission denied (publickey).", phase="clone")),
        situation(failure("FETCH_FAILED", RESOLVE, phase="clone")),
    ),
    Case(
        "LOCK_FILE_MISSING",
        "npm's own words",
        situation(failure(BUILD, EUSAGE, phase="build", exit_status=17), git={"unlocked": [UNLOCKED]}),
        situation(failure(BUILD, EUSAGE, phase="build", exit_status=17)),
        "dashboard/package-lock.json",
    ),
    Case(
        "LOCK_FILE_MISSING",
        "BuildKit's words, where the Dockerfile copies it",
        situation(failure(BUILD, CHECKSUM, phase="build", exit_status=17), git={"unlocked": [UNLOCKED]}),
        situation(failure("SERVICE_CRASHED", EUSAGE, phase="compose-up"), git={"unlocked": [UNLOCKED]}),
    ),
    Case(
        "BUILD_FILE_MISSING",
        "moved requirements",
        situation(failure(BUILD, NO_REQUIREMENTS, phase="build")),
        situation(failure(BUILD, CHECKSUM, phase="build"), git={"unlocked": [UNLOCKED]}),
        "tds_core/requirements.txt",
    ),
    Case(
        "BUILD_FILE_MISSING",
        "copied",
        situation(failure(BUILD, CHECKSUM, phase="build")),
        situation(failure(BUILD, EUSAGE, phase="build")),
    ),
    Case(
        "BUILD_CODE_FAILED",
        "TypeScript",
        situation(failure(BUILD, TYPES, phase="build")),
        situation(failure(PULL, TYPES, phase="build")),
    ),
    Case(
        "BUILD_TOOL_MISSING",
        "no c++",
        situation(failure(BUILD, NO_TOOL, phase="build")),
        situation(failure(BUILD, TYPES, phase="build")),
        "c++",
    ),
    Case(
        "BUILD_TOOL_MISSING",
        "no gcc",
        situation(failure(BUILD, NO_GCC, phase="build")),
        situation(failure(BUILD, KILLED, phase="build")),
        "gcc",
    ),
    Case(
        "BUILD_OUT_OF_MEMORY",
        "137",
        situation(failure(BUILD, KILLED, phase="build")),
        situation(failure(BUILD, TYPES, phase="build")),
    ),
    Case(
        "BASE_IMAGE_MISSING",
        "no such tag",
        situation(failure(BUILD, NO_TAG, phase="build")),
        situation(failure(BUILD, NO_ANSWER, phase="build")),
        "docker.io/library/python:3.99-slim",
    ),
    Case(
        "BASE_IMAGE_MISSING",
        "no such tag in a registry with a port",
        situation(failure(BUILD, NO_TAG_THERE, phase="build")),
        situation(failure("MIGRATION_FAILED", NO_TAG_THERE, phase="migrate")),
        "r.test:5000/library/node:99",
    ),
    Case(
        "BASE_IMAGE_MISSING",
        "no such tag, in the engine's few words",
        situation(failure(PULL, "docker.io/library/alpine:9.9: not found", phase="build")),
        situation(failure(BUILD, "c++: not found\n./build.sh: not found\n../a/b.sh: not found", phase="build")),
        "docker.io/library/alpine:9.9",
    ),
    Case(
        "BASE_IMAGE_MISSING",
        "pulling what is built here",
        situation(failure(PULL, DENIED, phase="build")),
        situation(failure("SERVICE_CRASHED", DENIED, phase="compose-up")),
        "tsh-erp",
    ),
    Case(
        "REGISTRY_SILENT",
        "no name",
        situation(failure(BUILD, NO_ANSWER, phase="build")),
        situation(failure(BUILD, NO_TAG, phase="build")),
        "registry-1.docker.io",
    ),
    Case(
        "REGISTRY_SILENT",
        "Debian's archive",
        situation(
            failure(
                "PACKAGES_FAILED",
                "E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'deb.debian.org'",
                phase="baseline",
            )
        ),
        situation(failure("PACKAGES_FAILED", "E: Unable to locate package docker-compose-plugin", phase="baseline")),
        "deb.debian.org",
    ),
    Case(
        "REGISTRY_SILENT",
        "npm's registry",
        situation(
            failure(BUILD, "#9 61.2 npm error code ETIMEDOUT\n#9 61.2 npm error network request failed", phase="build")
        ),
        situation(failure("SERVICE_CRASHED", "npm error code ETIMEDOUT", phase="compose-up")),
    ),
)

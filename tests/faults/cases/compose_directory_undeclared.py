"""The compose file mounts a directory that nobody has declared, so nobody has made it."""

from faultcase import Case

OLD = "      - {type: bind, source: ./uploads/staging, target: /app/uploads, bind: {create_host_path: false}}\n"
NEW = OLD + "      - {type: bind, source: ./images, target: /app/images, bind: {create_host_path: false}}\n"

CASE = Case(
    id="compose-directory-undeclared",
    title="the compose file mounts a directory that is not declared",
    rows=("R12", "U39"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("docker-compose.staging.yml", OLD, NEW),
    causes=("DIRECTORY_UNDECLARED",),
    role="devops",
)

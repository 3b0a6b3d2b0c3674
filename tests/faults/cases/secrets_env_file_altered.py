"""The 2025-11-15 report's third failure on a running host: placeholders in the env file, all true values known."""

from bed import DIRECTORY
from faultcase import Case

PLACEHOLDER = "<CHANGE_ME"

CASE = Case(
    id="secrets-env-file-altered",
    title="placeholders were left in the env file on the host",
    rows=("U47", "F02", "R06", "R07"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        f"cd {DIRECTORY} && sed -i -e 's/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD=\"<CHANGE_ME_DB>\"/'"
        " -e 's/^ZOHO_CLIENT_SECRET=.*/ZOHO_CLIENT_SECRET=\"<CHANGE_ME_ZOHO>\"/'"
        " -e 's/^LOG_LEVEL=.*/LOG_LEVEL=\"info\"/' .env.staging"
    ),
    broken=lambda lab: (
        "placeholders stand in the env file" if PLACEHOLDER in lab.shell(f"cat {DIRECTORY}/.env.staging") else ""
    ),
    causes=("ENV_FILE_ALTERED",),
    fast=True,
)

"""Somebody edited files of the checkout on the host."""

from bed import DIRECTORY
from faultcase import Case

CASE = Case(
    id="source-checkout-altered",
    title="files of the checkout were edited on the host",
    rows=("F53",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        f"cd {DIRECTORY} && echo '# by hand' >> docker-compose.staging.yml && rm alembic.ini && echo x > stray.txt"
    ),
    broken=lambda lab: lab.shell(f"cd {DIRECTORY} && git -c safe.directory='*' status --porcelain", check=False),
    causes=("CHECKOUT_ALTERED",),
)

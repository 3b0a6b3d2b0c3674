"""A clone was cut half-way: the directory is there, and git does not know a commit in it."""

from bed import DIRECTORY
from faultcase import Case

CASE = Case(
    id="source-half-a-clone",
    title="half a clone stands in the project's directory",
    rows=("F57", "U06"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"cd {DIRECTORY} && rm -rf .git/refs .git/HEAD .git/objects/pack erp neurolink"),
    broken=lambda lab: (
        ""
        if lab.shell(f"cd {DIRECTORY} && git -c safe.directory='*' rev-parse HEAD 2>&1", check=False)[:40] == lab.commit
        else "git knows no commit there"
    ),
    causes=("CHECKOUT_MISSING", "CHECKOUT_ALTERED"),
)

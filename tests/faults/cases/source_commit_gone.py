"""The pinned commit is gone: somebody pushed over it."""

from faultcase import Case

CASE = Case(
    id="source-commit-gone",
    title="the pinned commit is not in the repository any more (force-push)",
    rows=("F54",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.set("    branch: develop\n", f"    branch: develop\n    commit: {'f' * 39}0\n"),
    causes=("COMMIT_GONE",),
    role="devops",
    still_serves=True,
)

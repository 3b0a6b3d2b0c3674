"""The new code serves a directory that git does not keep."""

from faultcase import Case

OLD = "    failures.register(app)\n"
NEW = (
    OLD
    + "    from starlette.staticfiles import StaticFiles\n\n    app.mount('/images', StaticFiles(directory='app/images'))\n"
)

CASE = Case(
    id="health-app-directory-missing",
    title="the application needs a directory that is not in the image",
    rows=("U39",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("erp/app.py", OLD, NEW),
    causes=("APP_DIRECTORY_MISSING",),
    role="devops",
)

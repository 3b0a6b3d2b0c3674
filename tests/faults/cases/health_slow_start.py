"""A release that needs its time to become healthy is waited for, and nothing is done to it."""

from faultcase import Case

OLD = "    settings = settings or Settings()"

CASE = Case(
    id="health-slow-start",
    title="the application becomes healthy only after 25 s",
    rows=("F70", "U41"),
    strikes="deployment",
    expected="nothing to do",
    inject=lambda lab: lab.replace("erp/app.py", OLD, "    __import__('time').sleep(25)\n" + OLD),
)

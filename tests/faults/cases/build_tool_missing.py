"""A step of the build needs a compiler that the base image does not have."""

from faultcase import Case

CASE = Case(
    id="build-tool-missing",
    title="the build calls c++, which the image lacks",
    rows=("U33",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("Dockerfile", "USER 1000:1000", "RUN c++ --version\nUSER 1000:1000"),
    causes=("BUILD_TOOL_MISSING",),
    role="devops",
    still_serves=True,
)

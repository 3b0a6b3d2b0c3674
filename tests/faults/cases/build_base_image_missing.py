"""A bot bumped the base image to one that nobody has published.

The registry is named, as the engine would else ask Docker Hub, which can't be reached from everywhere.
"""

from faultcase import Case

CASE = Case(
    id="build-base-image-missing",
    title="the base image's tag does not exist",
    rows=("U17", "F59", "U34"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace(
        "dashboard/Dockerfile",
        "FROM node:20-alpine AS builder",
        "FROM registry.greenroom.test:5000/library/node:99-alpine AS builder",
    ),
    causes=("BASE_IMAGE_MISSING",),
    role="devops",
    still_serves=True,
)

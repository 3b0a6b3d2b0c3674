"""A step of the build takes more memory than the droplet has; the kernel ends it, and nothing else."""

from faultcase import Case

EATER = (
    'RUN echo 1000 > /proc/self/oom_score_adj && python -c "import mmap; kept = [];'
    " [kept.append(b'x' * (64 << 20)) for _ in range(96)]\"\nUSER 1000:1000"
)

CASE = Case(
    id="build-out-of-memory",
    title="a step of the build is OOM-killed",
    rows=("F61",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("Dockerfile", "USER 1000:1000", EATER),
    causes=("BUILD_OUT_OF_MEMORY",),
    role="devops",
    still_serves=True,
)

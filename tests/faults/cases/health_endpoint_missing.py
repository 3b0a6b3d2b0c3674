"""The new release has lost an endpoint: 404 where the contract says 200."""

from faultcase import Case

CASE = Case(
    id="health-endpoint-missing",
    title="an endpoint of the contract is not served any more",
    rows=("R23", "U28"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("erp/bff/gps.py", '@router.get("/sync-status")', '@router.get("/sync-state")'),
    causes=("ENDPOINT_MISSING",),
    role="qa",
    still_serves=True,
)

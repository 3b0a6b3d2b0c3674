"""The field-sales API for the mobile application, under /api/bff/salesperson: GPS, transfers, commissions."""

from erp import exports
from erp.bff import (
    commission_outlook,
    commission_targets,
    commissions,
    gps,
    transfer_decisions,
    transfer_reports,
    transfers,
)

# In each group the routers with fixed paths come before the one whose paths hold an id.
routers = (
    gps.router,
    transfer_reports.router,
    transfers.router,
    transfer_decisions.router,
    commission_targets.router,
    commission_outlook.router,
    commissions.router,
    exports.router,
)

__all__ = ["routers"]

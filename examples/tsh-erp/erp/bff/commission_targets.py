"""Targets: managers set them, salespeople see how far they have come."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Path, Query, status
from sqlalchemy import select, update

from erp import fieldbook
from erp.access import CurrentManager, CurrentUser, for_whom, not_found, whose
from erp.bff import commission_schemas as shapes
from erp.bff.common import PREFIX, SalespersonId
from erp.domain.periods import TargetName, target_period
from erp.models import Target
from tshkit.database import utcnow
from tshkit.sessions import Database

router = APIRouter(prefix=f"{PREFIX}/commissions/targets", tags=["commissions"])


@router.get("")
def list_targets(
    user: CurrentUser,
    database: Database,
    salesperson_id: SalespersonId = None,
    period_name: Annotated[TargetName | None, Query(alias="period")] = None,
) -> shapes.TargetList:
    """List the targets that are in force."""
    owner = whose(database, user, salesperson_id)
    wanted = select(Target).where(Target.salesperson_id == owner.id, Target.is_active.is_(True))
    if period_name is not None:
        wanted = wanted.where(Target.period_type == period_name)
    rows = database.scalars(wanted.order_by(Target.period_start.desc(), Target.id.desc()))
    targets = [shapes.Target.model_validate(row) for row in rows]
    return shapes.TargetList(targets=targets, total=len(targets))


@router.post("", status_code=status.HTTP_201_CREATED)
def set_target(new: shapes.NewTarget, manager: CurrentManager, database: Database) -> shapes.Target:
    """Set a target; those of the same kind that overlap with it are no longer in force."""
    owner = for_whom(database, manager, new.salesperson_id)
    end = new.period_end or target_period(new.period_type, new.period_start).end
    if end < new.period_start:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, "period_end is before period_start")
    database.execute(
        update(Target)
        .where(
            Target.salesperson_id == owner.id,
            Target.period_type == new.period_type,
            Target.is_active.is_(True),
            Target.period_start <= end,
            Target.period_end >= new.period_start,
        )
        .values(is_active=False)
    )
    target = Target(
        **new.model_dump(exclude={"period_end"}),
        period_end=end,
        target_uuid=str(uuid4()),
        salesperson_name=owner.name,
        set_by=manager.id,
        set_at=utcnow(),
    )
    database.add(target)
    database.flush()
    fieldbook.measure(database, target)
    return shapes.Target.model_validate(target)


@router.put("/{target_id}")
def change_target(
    target_id: Annotated[int, Path(gt=0, le=2**31 - 1)],
    change: shapes.TargetChange,
    _manager: CurrentManager,
    database: Database,
) -> shapes.Target:
    """Change a target; what is left out stays."""
    target = database.get(Target, target_id, with_for_update=True)
    if target is None:
        raise not_found("Target")
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(target, name, value)
    fieldbook.measure(database, target)
    database.flush()
    return shapes.Target.model_validate(target)

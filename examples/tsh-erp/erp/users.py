"""Accounts and customers, as far as field sales needs them: /api/users and /api/customers."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import select

from erp import passwords
from erp.access import CurrentManager, CurrentUser, only_own
from erp.auth import Account
from erp.models import Branch, Customer, Role, User
from tshkit.sessions import Database

router = APIRouter(prefix="/api", tags=["people"])


class NewUser(BaseModel):
    """An account to be made."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=255)]
    password: Annotated[SecretStr, Field(min_length=12, max_length=1024)]
    role: str = "salesperson"
    phone: Annotated[str | None, Field(max_length=20)] = None


class CustomerOut(BaseModel):
    """A customer as shown in lists."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    customer_code: str
    name: str
    name_ar: str
    city: str | None
    salesperson_id: int | None


@router.get("/users")
def list_users(_manager: CurrentManager, database: Database) -> list[Account]:
    """List the open accounts."""
    users = database.scalars(select(User).where(User.is_active).order_by(User.id))
    return [Account.model_validate(user) for user in users]


@router.post("/users", status_code=status.HTTP_201_CREATED)
def create_user(new: NewUser, _manager: CurrentManager, database: Database) -> Account:
    """Open an account; those with the role salesperson may record field data."""
    role = database.scalar(select(Role).where(Role.name == new.role))
    if role is None:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"No role named {new.role}")
    if database.scalar(select(User.id).where(User.email == new.email.lower())) is not None:
        raise HTTPException(status.HTTP_409_CONFLICT, "There is an account with this address")
    branch_id = database.scalars(select(Branch.id).order_by(Branch.id).limit(1)).one()
    user = User(
        name=new.name,
        email=new.email.lower(),
        password=passwords.hash_password(new.password.get_secret_value()),
        role=role,
        branch_id=branch_id,
        phone=new.phone,
        is_salesperson=role.name == "salesperson",
    )
    database.add(user)
    database.flush()
    return Account.model_validate(user)


@router.get("/customers")
def list_customers(user: CurrentUser, database: Database) -> list[CustomerOut]:
    """List customers: one's own, and for managers everybody's."""
    query = select(Customer).where(Customer.is_active.is_(True)).order_by(Customer.customer_code)
    if (owner := only_own(user)) is not None:
        query = query.where(Customer.salesperson_id == owner)
    return [CustomerOut.model_validate(customer) for customer in database.scalars(query)]

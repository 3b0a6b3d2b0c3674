"""What an empty system needs before anybody can work: roles, a branch, the administrator, some customers."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import SecretStr
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from erp import passwords, schema
from erp.models import Branch, Customer, Role, User
from tshkit.database import reason

ROLES = {
    "admin": "Runs the system",
    "owner": "Owns the company",
    "manager": "Leads salespeople and decides on their transfers",
    "security": "Watches over accounts",
    "salesperson": "Sells in the field",
}
CUSTOMERS = (
    ("C-0001", "Al Mansour Electronics", "المنصور للإلكترونيات", "Baghdad"),
    ("C-0002", "Tigris Computer Centre", "مركز دجلة للحاسبات", "Baghdad"),
    ("C-0003", "Basra Office Supplies", "تجهيزات البصرة المكتبية", "Basra"),
    ("C-0004", "Erbil Tech Market", "سوق أربيل التقني", "Erbil"),
    ("C-0005", "Najaf Mobile House", "بيت النجف للموبايل", "Najaf"),
)
# Two processes that start together must not both make the first rows.
LOCK = 2_250_002


@dataclass(frozen=True)
class Administrator:
    """The first account, as the environment describes it."""

    email: str
    password: SecretStr


def attempt(engine: Engine, administrator: Administrator) -> str | None:
    """Make the first data once the schema is at its head; return why that could not be done yet."""
    revision = schema.check_revision(engine)
    if not revision.ok:
        return revision.reason
    try:
        with Session(engine) as session, session.begin():
            ensure(session, administrator)
    except SQLAlchemyError as error:
        return reason(error)
    return None


def ensure(session: Session, administrator: Administrator) -> User:
    """Bring the first rows about; on later starts only the administrator's account is brought in line."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    roles = _ensure_roles(session)
    branch = session.scalar(select(Branch).where(Branch.code == "MAIN"))
    if branch is None:
        branch = Branch(name="Main branch", name_ar="الفرع الرئيسي", code="MAIN", city="Baghdad")
        session.add(branch)
    session.flush()
    admin = _ensure_administrator(session, administrator, roles["admin"], branch)
    if not session.scalar(select(func.count()).select_from(Customer)):
        session.add_all(_customers(admin))
    return admin


def _ensure_roles(session: Session) -> dict[str, Role]:
    roles = {role.name: role for role in session.scalars(select(Role))}
    for name, description in ROLES.items():
        if name not in roles:
            roles[name] = Role(name=name, description=description)
            session.add(roles[name])
    return roles


def _ensure_administrator(session: Session, wanted: Administrator, role: Role, branch: Branch) -> User:
    password = wanted.password.get_secret_value()
    email = wanted.email.lower()
    admin = session.scalar(select(User).where(User.email == email))
    if admin is None:
        # The administrator may also record sales of their own: small companies work like that.
        admin = User(name="Administrator", email=email, branch_id=branch.id, is_salesperson=True, is_verified=True)
        session.add(admin)
    if not admin.password or not passwords.matches(password, admin.password):
        admin.password = passwords.hash_password(password)
    admin.role, admin.is_active = role, True
    session.flush()
    return admin


def _customers(admin: User) -> list[Customer]:
    return [
        Customer(
            customer_code=code,
            name=name,
            name_ar=name_ar,
            city=city,
            country="Iraq",
            currency="IQD",
            credit_limit=Decimal(10_000),
            portal_language="ar",
            salesperson_id=admin.id,
        )
        for code, name, name_ar, city in CUSTOMERS
    ]

"""What all models of settings have in common: how they are read, and how a pure check becomes a validator of theirs."""

from __future__ import annotations

__all__ = ["Model", "expected", "expects"]

from typing import TYPE_CHECKING, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from infra.settings import fields

if TYPE_CHECKING:
    from collections.abc import Callable


def expects(accept: Callable[..., str], *arguments: Any) -> AfterValidator:
    """Make a pure check a validator whose error says what was expected."""

    def check(value: str) -> str:
        try:
            return accept(value, *arguments)
        except fields.Expected as error:
            raise expected(str(error)) from None

    return AfterValidator(check)


def expected(text: str) -> PydanticCustomError:
    """Make the error that `problems` prints as `expected TEXT`."""
    return PydanticCustomError("expected", "{text}", {"text": text})


class Model(BaseModel):
    """What all settings have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, defer_build=True)

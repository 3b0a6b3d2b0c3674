"""Settings of the ERP, read once from the environment; a wrong or missing one stops the start and is named."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PLACEHOLDER = "<CHANGE_ME"


def _filled_in(value: SecretStr) -> SecretStr:
    if PLACEHOLDER in value.get_secret_value():
        raise ValueError("still holds a placeholder")
    return value


Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_filled_in)]
LongSecret = Annotated[SecretStr, Field(min_length=32), AfterValidator(_filled_in)]
Password = Annotated[SecretStr, Field(min_length=12), AfterValidator(_filled_in)]


class Settings(BaseSettings):
    """One field a variable; the variable's name is the field's in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: Secret
    redis_url: str
    secret_key: LongSecret
    access_token_expire_minutes: int = Field(default=60, ge=5, le=1440)
    admin_email: str = Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    admin_password: Password
    environment: Literal["development", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_directory: Path | None = None
    upload_directory: Path
    cors_origins: list[str] = []
    zoho_accounts_url: str = "https://accounts.zoho.com"
    zoho_client_id: Secret
    zoho_client_secret: Secret
    zoho_refresh_token: Secret
    zoho_organization_id: Secret

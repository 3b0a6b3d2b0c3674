"""Settings of NeuroLink, read once from the environment; a wrong or missing one stops the start and is named."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One field a variable; the variable's name is the field's in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(min_length=1)
    redis_url: str
    jwt_secret_key: SecretStr = Field(min_length=32)
    environment: Literal["development", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_directory: Path | None = None
    email_delivery: Literal["off", "resend"] = "off"
    resend_api_url: str = "https://api.resend.com"
    resend_api_key: SecretStr = SecretStr("")
    email_from_address: str = ""
    email_from_name: str = ""

    @model_validator(mode="after")
    def _email_is_complete(self) -> Self:
        if self.email_delivery == "resend":
            needed = {
                "RESEND_API_KEY": self.resend_api_key.get_secret_value(),
                "EMAIL_FROM_ADDRESS": self.email_from_address,
            }
            if missing := [name for name, value in needed.items() if not value or "<CHANGE_ME" in value]:
                raise ValueError(f"EMAIL_DELIVERY=resend needs {', '.join(missing)}")
        return self

"""E-mail for critical events, over Resend's HTTP API, when EMAIL_DELIVERY says so."""

import json
from email.utils import formataddr
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from neurolink.settings import Settings

TIMEOUT_S = 10


def send(settings: Settings, *, to: str, subject: str, text: str) -> str:
    """Send one message and return what became of it: `off`, `sent`, or `failed: ...`; never raises for the network."""
    if settings.email_delivery == "off":
        return "off"
    message = {
        "from": formataddr((settings.email_from_name, settings.email_from_address)),
        "to": [to],
        "subject": subject,
        "text": text,
    }
    request = Request(  # noqa: S310 the address is the operator's setting
        f"{settings.resend_api_url.rstrip('/')}/emails",
        data=json.dumps(message).encode(),
        headers={
            "Authorization": f"Bearer {settings.resend_api_key.get_secret_value()}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    try:
        with urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 see above
            return "sent"
    except HTTPError as error:
        return f"failed: HTTP {error.code}"
    except (URLError, TimeoutError) as error:
        return f"failed: {error}"[:200]

"""What Redis remembers about logins: tokens that were logged out, and who failed too often."""

from datetime import UTC, datetime
from hashlib import sha256

from redis import Redis, RedisError

from tshkit.checks import Check, first_line
from tshkit.tokens import Claims

MAX_FAILURES = 10
FAILURE_WINDOW_S = 300
TIMEOUT_S = 2.0


class Sessions:
    """The session store. A RedisError from it means that nobody can be told in or out right now."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    def revoke(self, claims: Claims) -> None:
        """Refuse this token until it would have expired anyway."""
        seconds = int((claims.expires_at - datetime.now(UTC)).total_seconds()) + 1
        self._redis.set(f"erp:revoked:{claims.token_id}", "1", ex=max(seconds, 1))

    def is_revoked(self, claims: Claims) -> bool:
        """Tell whether the token was logged out."""
        return bool(self._redis.exists(f"erp:revoked:{claims.token_id}"))

    def may_try(self, email: str) -> bool:
        """Tell whether a login for this address may be tried, or has failed too often lately."""
        return int(str(self._redis.get(self._failures(email)) or 0)) < MAX_FAILURES

    def failed(self, email: str) -> None:
        """Count a failed login."""
        key = self._failures(email)
        with self._redis.pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, FAILURE_WINDOW_S)
            pipeline.execute()

    def succeeded(self, email: str) -> None:
        """Forget the failures of this address."""
        self._redis.delete(self._failures(email))

    def check(self) -> Check:
        """Ask Redis whether it is there."""
        try:
            self._redis.ping()
        except RedisError as error:
            return Check(ok=False, reason=first_line(error))
        return Check(ok=True)

    @staticmethod
    def _failures(email: str) -> str:
        return f"erp:login-failures:{sha256(email.lower().encode()).hexdigest()}"

"""How many notifications somebody has not read: asked for every few seconds by every open page, so Redis keeps it."""

from redis import Redis, RedisError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from neurolink.models import Notification
from tshkit.checks import Check, first_line

KEEP_S = 60
TIMEOUT_S = 2.0


class Unread:
    """The counts. Each change of somebody's notifications makes theirs be counted anew."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    def count(self, database: Session, recipient_id: int) -> int:
        """Return the count, from Redis or else from the database."""
        kept = self._redis.get(self._key(recipient_id))
        if kept is not None:
            return int(str(kept))
        counted = database.scalar(
            select(func.count()).where(
                Notification.recipient_id == recipient_id,
                Notification.read_at.is_(None),
                Notification.dismissed_at.is_(None),
            )
        )
        self._redis.set(self._key(recipient_id), counted or 0, ex=KEEP_S)
        return counted or 0

    def changed(self, *recipient_ids: int) -> None:
        """Forget the counts of these people."""
        self._redis.delete(*(self._key(recipient_id) for recipient_id in recipient_ids))

    def check(self) -> Check:
        """Ask Redis whether it is there."""
        try:
            self._redis.ping()
        except RedisError as error:
            return Check(ok=False, reason=first_line(error))
        return Check(ok=True)

    @staticmethod
    def _key(recipient_id: int) -> str:
        return f"neurolink:unread:{recipient_id}"

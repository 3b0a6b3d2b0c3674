"""Webhook and Telegram against real servers: signatures, pauses, deadlines, TLS, limits, and no secret in any word."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from incident_samples import half_way, placeholders
from receivers import Received, Reply, receiver

from infra.healing.channels import delivery
from infra.healing.channels.delivery import Answer, ChannelError, Request, deliver, retry_after
from infra.healing.channels.telegram import LIMIT, Telegram, cut
from infra.healing.channels.webhook import Webhook, signature_of
from infra.healing.notice import Notice, as_text, notice_of
from infra.secret import Secret
from localcloud.digitalocean.tls import Certificates

KEY = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
TOKEN = "123456789:AAE-hidden_token_of_the_test_bot"
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/escalation-1.json").read_text())


def notice() -> Notice:
    made = notice_of(half_way())
    assert made is not None
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.05)
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def webhook(url: str, deadline_s: float = 5.0) -> Webhook:
    return Webhook(f"{url}/hooks/secret-path-of-the-hook?key=hidden-query", KEY, deadline_s)


def telegram(url: str, deadline_s: float = 5.0) -> Telegram:
    return Telegram(url, "-1001234567890", Secret(TOKEN), deadline_s)


def test_the_signature_is_the_specifications_own_example() -> None:
    signature = signature_of(KEY.reveal(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_that_is_no_base64_is_told_without_it() -> None:
    with pytest.raises(ChannelError, match="no base64") as caught:
        signature_of("whsec_!!!hidden-key!!!", "id", 0, b"")
    assert "hidden-key" not in str(caught.value)


def test_a_webhook_gets_a_signed_document_of_the_published_schema() -> None:
    with receiver() as server:
        webhook(server.url).send(notice())
    (request,) = server.requests
    assert request.path == "/hooks/secret-path-of-the-hook?key=hidden-query"
    assert request.headers["webhook-id"] == half_way().id
    stamp = int(request.headers["webhook-timestamp"])
    assert abs(stamp - time.time()) < 60
    expected = signature_of(KEY.reveal(), half_way().id, stamp, request.body)
    assert request.headers["webhook-signature"] == expected
    document = json.loads(request.body)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    (ask,) = document["asks"]
    assert (ask["role"], ask["code"]) == ("system administrator", "SECRET_MISSING")
    assert ask["commands"] == ["greenroom secrets set RESEND_API_KEY -s local", "greenroom heal -s local"]


def test_a_changed_body_has_another_signature() -> None:
    assert signature_of("key", "a", 1, b"{}") != signature_of("key", "a", 1, b"{ }")
    assert signature_of("key", "a", 1, b"{}") != signature_of("key", "a", 2, b"{}")
    assert signature_of("key", "a", 1, b"{}") != signature_of("key", "b", 1, b"{}")


def test_busy_and_broken_servers_are_asked_again_with_the_same_id_after_the_pause_that_they_ask_for() -> None:
    replies = (Reply(429, headers={"Retry-After": "1"}), Reply(500), Reply(503), Reply(204, b""))
    with receiver(*replies) as server:
        webhook(server.url).send(notice())
    first, second, *_ = server.requests
    assert len(server.requests) == 4
    assert second.at - first.at >= 1.0
    assert {request.headers["webhook-id"] for request in server.requests} == {half_way().id}


def test_a_server_that_stays_broken_is_asked_four_times_and_told_with_its_status() -> None:
    with receiver(Reply(502, b"<b>bad\x1b[2J gateway</b>")) as server, pytest.raises(ChannelError) as caught:
        webhook(server.url).send(notice())
    assert len(server.requests) == 4
    assert caught.value.message == r"localhost: answered 502: <b>bad\x1b[2J gateway</b>"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 301, 302, 307])
def test_a_refusal_is_final_and_no_redirect_is_followed(status: int) -> None:
    with receiver(Reply()) as other:
        refusal = Reply(status, headers={"Location": f"{other.url}/elsewhere"})
        with receiver(refusal) as server, pytest.raises(ChannelError, match=f"answered {status}"):
            webhook(server.url).send(notice())
    assert len(server.requests) == 1
    assert other.requests == []


def test_a_pause_past_the_deadline_is_not_waited_for() -> None:
    began = time.monotonic()
    busy = Reply(429, headers={"Retry-After": "3600"})
    with receiver(busy) as server, pytest.raises(ChannelError, match="answered 429"):
        webhook(server.url).send(notice())
    assert time.monotonic() - began < 1.0
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [Reply(hang_s=30), Reply(drip_s=30)], ids=["says nothing", "drips"])
def test_a_server_that_keeps_one_waiting_is_left_at_the_deadline(reply: Reply) -> None:
    began = time.monotonic()
    with receiver(reply) as server:
        with pytest.raises(ChannelError, match=r"localhost: no answer, within 0\.6 s"):
            webhook(server.url, deadline_s=0.6).send(notice())
        assert 0.5 < time.monotonic() - began < 1.5


def test_a_cut_connection_is_tried_again() -> None:
    with receiver(Reply(cut=True), Reply()) as server:
        webhook(server.url).send(notice())
    assert len(server.requests) == 2


def test_nobody_listening_is_told_as_that() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ChannelError, match="localhost: the connection was refused, within 1 s"):
        webhook(f"http://localhost:{port}", deadline_s=1.0).send(notice())


def test_a_name_that_does_not_resolve_is_told_as_that() -> None:
    with pytest.raises(ChannelError, match=r"hooks.invalid: .*(name|service|resolution|no answer)"):
        webhook("https://hooks.invalid", deadline_s=2.0).send(notice())


def test_plain_http_to_another_machine_is_refused() -> None:
    with pytest.raises(ChannelError, match=r"192\.0\.2\.1: not over https"):
        webhook("http://192.0.2.1").send(notice())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.ensure(tmp_path_factory.mktemp("channels"))


def test_tls_is_verified_against_the_authorities_that_the_machine_trusts(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver(Reply(), certificates=certificates) as server:
        with pytest.raises(ChannelError, match="localhost: its certificate was refused: ") as caught:
            webhook(server.url).send(notice())
        assert server.requests == []
        assert "secret-path" not in str(caught.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        webhook(server.url).send(notice())
        telegram_reply(server.replies)
        telegram(server.url).send(notice())
    assert len(server.requests) == 2


def test_a_certificate_for_another_name_is_refused(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    with receiver(certificates=certificates, address="127.0.0.2") as server:
        with pytest.raises(ChannelError, match=r"127\.0\.0\.2: its certificate was refused: IP address mismatch"):
            webhook(server.url).send(notice())
        assert server.requests == []


def telegram_reply(replies: list[Reply]) -> None:
    replies[:] = [Reply(body=b'{"ok": true, "result": {}}')]


def sent_message(request: Received) -> dict[str, Any]:
    return json.loads(request.body)


def test_telegram_gets_plain_text_without_a_parse_mode() -> None:
    with receiver(Reply(body=b'{"ok": true, "result": {}}')) as server:
        telegram(server.url).send(notice())
    (request,) = server.requests
    message = sent_message(request)
    assert request.path == f"/bot{TOKEN}/sendMessage"
    assert set(message) == {"chat_id", "text", "link_preview_options"}
    assert message["chat_id"] == "-1001234567890"
    assert "$ greenroom secrets set RESEND_API_KEY -s local" in message["text"]
    assert "RESEND_API_KEY=<CHANGE_ME_RESEND_API_KEY>" in message["text"]


def test_telegrams_own_pause_is_honoured() -> None:
    busy = b'{"ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}'
    with receiver(Reply(429, busy), Reply(body=b'{"ok": true}')) as server:
        telegram(server.url).send(notice())
    first, second = server.requests
    assert second.at - first.at >= 1.0


def test_an_answer_of_200_that_is_not_ok_is_no_success() -> None:
    with receiver(Reply(200, b'{"ok": false, "description": "nope"}')) as server, pytest.raises(ChannelError) as caught:
        telegram(server.url).send(notice())
    assert caught.value.message == "localhost: answered 200: nope"


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 90_000, b"\xff", b'{"ok": 1}', b'{"parameters": 3}'])
def test_what_no_bot_api_would_say_is_no_success(body: bytes) -> None:
    with receiver(Reply(200, body)) as server, pytest.raises(ChannelError, match="answered 200"):
        telegram(server.url).send(notice())


ECHOES = [
    Reply(404, json.dumps({"ok": False, "description": f"Cannot POST /bot{TOKEN}/sendMessage"}).encode()),
    Reply(404, json.dumps({"ok": False, "description": f"/bot{TOKEN.replace(':', '%3A')}/sendMessage"}).encode()),
    Reply(401, b'{"ok": false, "description": "Unauthorized"}'),
    Reply(500, f"<h1>/bot{TOKEN}/sendMessage</h1>".encode()),
    Reply(302, headers={"Location": f"http://localhost/bot{TOKEN}/x"}),
    Reply(cut=True),
    Reply(hang_s=9),
]


@pytest.mark.parametrize("reply", ECHOES, ids=range(len(ECHOES)))
def test_the_token_is_in_no_error_no_traceback_and_no_log(
    reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    bot = telegram("", deadline_s=0.5)
    with receiver(reply) as server, pytest.raises(ChannelError) as caught:
        telegram(server.url, deadline_s=0.5).send(notice())
    said = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capfd.readouterr()) + repr(bot)
    said += repr(Request(f"http://localhost/bot{TOKEN}/x", TOKEN.encode(), {"a": TOKEN}))
    assert TOKEN not in said
    assert TOKEN.split(":")[1] not in said


@pytest.mark.parametrize("token", ["", "hidden-token", "12:ab\r\nX-Evil: 1", "1:" + "a" * 500, "123456:../../etc"])
def test_a_token_that_none_is_is_refused_before_anything_is_sent(token: str) -> None:
    with receiver() as server, pytest.raises(ChannelError, match="none that BotFather gives") as caught:
        Telegram(server.url, "1", Secret(token)).send(notice())
    assert server.requests == []
    assert not token or token not in str(caught.value)


def test_a_long_escalation_is_cut_to_telegrams_limit_and_keeps_the_commands() -> None:
    long = placeholders()
    (match,) = long.remaining
    flood = tuple(type(match.proof[0])("log", "\U0001f525" * 300) for _ in range(40))
    attempt = type(long.attempts[0])(
        **{**vars(long.attempts[0]), "match": type(match)(**{**vars(match), "proof": flood})}
    )
    made = notice_of(type(long)(**{**vars(long), "attempts": (attempt,)}))
    assert made is not None
    with receiver(Reply(body=b'{"ok": true}')) as server:
        telegram(server.url).send(made)
    text = sent_message(server.requests[0])["text"]
    assert len(text.encode("utf-16-le")) // 2 <= LIMIT
    assert text.endswith("cut: the rest is in the incident")
    assert "$ greenroom secrets set RESEND_API_KEY -s local" in text
    assert "greenroom incidents 20251115T101710Z-0b7d -s local" in text


@given(st.text(max_size=300), st.integers(40, 300))
def test_a_cut_text_never_passes_the_limit_and_loses_no_text_that_fits(text: str, limit: int) -> None:
    result = cut(text, limit)
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert len(result.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    assert (result == text) is (units <= limit)


def test_the_text_of_an_escalation_hides_nothing() -> None:
    text = as_text(notice())
    assert text.splitlines()[0] == "local: escalated"
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("0", 0), ("000000007", 7)])
def test_retry_after_is_seconds(value: str, seconds: float) -> None:
    assert retry_after(Answer(429, {"retry-after": value}, b"")) == seconds


@pytest.mark.parametrize(("ahead_s", "expected"), [(60, 60), (-60, 0)])
def test_retry_after_is_a_date(ahead_s: int, expected: float) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead_s), usegmt=True)
    assert retry_after(Answer(503, {"retry-after": date}, b"")) == pytest.approx(expected, abs=5)


@pytest.mark.parametrize("value", ["", "-1", "soon", "1.5", "\u0663", "Wed, 99 Foo 2025"])
def test_a_retry_after_that_makes_no_sense_is_none(value: str) -> None:
    assert retry_after(Answer(429, {"retry-after": value}, b"")) is None


def test_pauses_grow_to_a_cap_and_are_drawn_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(delivery.time, "sleep", pauses.append)
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.5)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 1.5)
    with receiver(Reply(503)) as server:
        deliver(Request(server.url, b"", {}), jitter=lambda: 1.0)
        deliver(Request(server.url, b"", {}), jitter=lambda: 0.0)
    assert pauses == [0.5, 1.0, 1.5, 0.0, 0.0, 0.0]


def test_a_proxy_that_the_environment_names_gets_the_tunnel_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden%20word@127.0.0.1:{proxy.getsockname()[1]}")
        proxy.settimeout(5)
        failed: list[str] = []

        def send() -> None:
            try:
                webhook("https://hooks.example.org", deadline_s=2.0).send(notice())
            except ChannelError as error:
                failed.append(error.message)

        thread = threading.Thread(target=send)
        thread.start()
        connection, _ = proxy.accept()
        with connection:
            asked = connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        proxy.close()
        thread.join()
    assert asked.startswith(b"CONNECT hooks.example.org:443 ")
    assert b"Proxy-Authorization: Basic dXNlcjpoaWRkZW4gd29yZA==" in asked
    assert b"secret-path" not in asked
    assert len(failed) == 1
    assert "hidden" not in failed[0]

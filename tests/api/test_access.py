"""Who may come in, as what, and what no foreign page can do."""

import socket
import time
import uuid
from collections.abc import Iterator

import httpx
import pyotp
import pytest
from tests.running import RunningServer

PASSWORD = "a lamp at the harbour mouth"


def new_user(api: httpx.Client, role: str) -> str:
    name = f"user-{uuid.uuid4().hex[:8]}"
    assert api.post("users", json={"name": name, "role": role, "password": PASSWORD}).status_code == 201
    return name


@pytest.fixture
def visitor(server: RunningServer) -> Iterator[httpx.Client]:
    with server.visitor() as client:
        yield client


def sign_in(client: httpx.Client, name: str) -> str:
    answer = client.post("session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["guard"])


def test_without_a_session_every_door_says_so(server: RunningServer, visitor: httpx.Client) -> None:
    document = visitor.get("openapi.json").json()
    open_doors = {"/api/v1/session", "/api/v1/session/link", "/api/v1/ingest/{table}"}
    for path, methods in document["paths"].items():
        for method in methods:
            if path in open_doors or not path.startswith("/api/v1"):
                continue
            url = server.url + path.replace("{", "x").replace("}", "")
            answer = visitor.request(method, url, json={})
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


def test_a_cookie_is_kept_from_scripts_and_foreign_sites(api: httpx.Client, visitor: httpx.Client) -> None:
    name = new_user(api, "reader")
    answer = visitor.post("session", json={"name": name, "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_a_change_needs_the_guard_of_the_page(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = sign_in(visitor, new_user(api, "admin"))
    body = {"name": "s", "query": "Syslog"}
    assert visitor.post("saved-searches", json=body).status_code == 403
    assert visitor.post("saved-searches", json=body, headers={"X-Guard": "guess"}).status_code == 403
    assert visitor.post("saved-searches", json=body, headers={"X-Guard": guard}).status_code == 201


def test_a_change_from_a_foreign_origin_is_refused(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = sign_in(visitor, new_user(api, "admin"))
    headers = {"X-Guard": guard, "Origin": "https://evil.example"}
    assert visitor.post("saved-searches", json={"name": "s", "query": "Syslog"}, headers=headers).status_code == 403


@pytest.mark.parametrize(("role", "statuses"), [("reader", (200, 403, 403)), ("responder", (200, 409, 403)), ("admin", (200, 409, 201))])
def test_each_role_may_what_it_may(api: httpx.Client, visitor: httpx.Client, role: str, statuses: tuple[int, int, int]) -> None:
    guard = {"X-Guard": sign_in(visitor, new_user(api, role))}
    read = visitor.get("incidents").status_code
    act = visitor.post("isolations", json={"machine": "web-1", "reason": "test"}, headers=guard).status_code
    manage = visitor.post("tokens", json={"name": "t"}, headers=guard).status_code
    assert (read, act, manage) == statuses


def test_wrong_passwords_pause_and_the_machine_itself_has_a_way_back(api: httpx.Client, visitor: httpx.Client) -> None:
    name = new_user(api, "reader")
    answers = [visitor.post("session", json={"name": name, "password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[0].json()["hint"] == "4 tries left, then a 15 minute pause."
    assert answers[3].json()["hint"] == "1 try left, then a 15 minute pause."
    assert answers[-1].headers["retry-after"]


def test_signing_out_ends_the_session(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = sign_in(visitor, new_user(api, "reader"))
    cookies = dict(visitor.cookies)
    assert visitor.delete("session", headers={"X-Guard": guard}).status_code == 204
    visitor.cookies.update(cookies)
    assert visitor.get("session").status_code == 401


def test_a_disabled_user_is_out_at_once(api: httpx.Client, visitor: httpx.Client) -> None:
    name = new_user(api, "reader")
    sign_in(visitor, name)
    assert api.patch(f"users/{name}", json={"is_disabled": True}).status_code == 200
    assert visitor.get("incidents").status_code == 401


def test_a_token_opens_its_scope_only(server: RunningServer, api: httpx.Client) -> None:
    secret = api.post("tokens", json={"name": "ci", "role": "reader", "scope": ["incidents"], "days": 1}).json()["secret"]
    with server.client(secret) as scoped:
        assert scoped.get("incidents").status_code == 200
        assert scoped.get("users").status_code == 403
        assert scoped.get("runs").status_code == 403


def test_a_secret_is_shown_once(api: httpx.Client) -> None:
    secret = api.post("tokens", json={"name": "once"}).json()["secret"]
    assert secret not in api.get("tokens").text
    assert secret not in api.get("audit").text


def test_every_act_is_in_the_audit_log_and_its_chain_holds(api: httpx.Client) -> None:
    name = new_user(api, "reader")
    entries = api.get("audit").json()
    assert any(entry["act"] == "user.created" and entry["subject"] == name for entry in entries)
    assert api.get("audit/verification").json()["is_whole"] is True


def test_answers_carry_the_headers_that_keep_a_page_safe(server: RunningServer, visitor: httpx.Client) -> None:
    for path in ("/", "/incidents/x", "/api/v1/openapi.json"):
        headers = visitor.get(server.url + path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_console_never_leaves_its_folder(server: RunningServer, visitor: httpx.Client) -> None:
    for path in ("/../doors.py", "/%2e%2e/doors.py", "/assets/../../doors.py", "/.digest", "/%00", f"/{'a' * 5000}"):
        answer = visitor.get(server.url + path)
        assert "class Doors" not in answer.text
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


def test_two_pages_of_one_session_share_its_guard(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = sign_in(visitor, new_user(api, "admin"))
    assert visitor.get("session").json()["guard"] == guard, "a second page"
    assert visitor.post("saved-searches", json={"name": "s", "query": "Syslog"}, headers={"X-Guard": guard}).status_code == 201


def test_a_new_password_ends_the_other_sessions(server: RunningServer, api: httpx.Client, visitor: httpx.Client) -> None:
    name = new_user(api, "reader")
    guard = sign_in(visitor, name)
    with server.visitor() as other:
        sign_in(other, name)
        change = {"old": PASSWORD, "new": "another lamp at the harbour mouth"}
        assert visitor.post("users/me/password", json=change, headers={"X-Guard": guard}).status_code == 204
        assert (visitor.get("session").status_code, other.get("session").status_code) == (200, 401)
        answer = other.post("session", json={"name": name, "password": change["new"]})
        assert answer.status_code == 200


def test_wrong_old_passwords_are_counted_like_wrong_sign_ins(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = {"X-Guard": sign_in(visitor, new_user(api, "reader"))}
    tries = ["wrong"] * 5 + [PASSWORD]
    answers = [visitor.post("users/me/password", json={"old": old, "new": PASSWORD}, headers=guard) for old in tries]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert any(entry["act"] == "user.password_refused" for entry in api.get("audit").json())


def test_a_second_factor_is_replaced_with_a_code_of_the_old_one_only(api: httpx.Client, visitor: httpx.Client) -> None:
    guard = {"X-Guard": sign_in(visitor, new_user(api, "reader"))}

    def confirm(secret: str, old_code: str = "") -> int:
        body = {"secret": secret, "code": pyotp.TOTP(secret).now(), "old_code": old_code}
        return visitor.put("users/me/second-factor", json=body, headers=guard).status_code

    first, second = (visitor.post("users/me/second-factor", headers=guard).json()["secret"] for _ in range(2))
    assert confirm(first) == 204
    assert confirm(second) == 400
    assert confirm(second, "000000") == 400
    later = pyotp.TOTP(first).at(time.time() + 30)  # the code of this half minute was used to set it
    assert confirm(second, later) == 204


def test_an_unknown_caller_is_told_before_a_body_is_read(server: RunningServer) -> None:
    """The body that the head announces never comes."""
    port = int(server.url.rpartition(":")[2])
    for path in ("/api/v1/ingest/Syslog", "/workflows/plbk_x/triggers/manual/paths/invoke?sig=guess"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
            assert line.recv(12)[9:] in (b"401", b"403")


def test_an_address_that_a_caller_claims_to_speak_for_is_not_believed(api: httpx.Client, visitor: httpx.Client) -> None:
    name = new_user(api, "reader")
    visitor.post("session", json={"name": name, "password": "wrong"}, headers={"X-Forwarded-For": "198.51.100.7"})
    assert next(entry["subject"] for entry in api.get("audit").json() if entry["who"] == f"user {name}") == "127.0.0.1"

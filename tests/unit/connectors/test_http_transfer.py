import asyncio
import base64
import json
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from tests.unit.connectors.test_azure_automation import context

from guardship.connectors import transfer
from guardship.connectors.http import Http
from guardship.connectors.outbound import OutboundRules
from guardship.playbooks.connector import CallFailed, ConnectorRequest, ConnectorResponse

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def asked(
    answer: Answer,
    *,
    method: str = "GET",
    path: str = "/",
    body: Any = None,
    trust: ssl.SSLContext | None = None,
    ca: Path | None = None,
    **options: Any,
) -> ConnectorResponse:
    """One call of a service on loopback that answers so; `BASE` in the options is its address."""

    async def run() -> ConnectorResponse:
        app = web.Application(client_max_size=200 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=trust)
        await site.start()
        server = site._server
        assert server is not None
        port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # an asyncio.Server
        base = f"{'https' if trust else 'http'}://{'localhost' if trust else '127.0.0.1'}:{port}"
        http = Http({}, OutboundRules(allowed_networks=("127.0.0.0/8", "::1/128"), ca_file=str(ca) if ca else None))
        given = json.loads(json.dumps(options).replace("BASE", base))
        try:
            return await http.call(ConnectorRequest(method.lower(), method, base + path, {}, {}, {}, body, given), context())
        finally:
            await http.close()
            await runner.cleanup()

    return asyncio.run(run())


def pages(count: int, size: int) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        page = int(request.query.get("page", "0"))
        body: dict[str, Any] = {"value": list(range(page * size, (page + 1) * size))}
        if page + 1 < count:
            body["nextLink"] = f"/?page={page + 1}"
        return web.json_response(body)

    return answer


def test_pages_are_joined_until_there_are_as_many_items_as_were_asked_for() -> None:
    found = asked(pages(5, 10), paginationpolicy={"minimumItemCount": 25}).body
    assert found == {"value": list(range(30))}
    assert len(asked(pages(5, 10), paginationpolicy={"minimumItemCount": 1000}).body["value"]) == 50
    assert len(asked(pages(5, 10)).body["value"]) == 10


def test_a_page_that_fails_is_told_and_half_a_list_is_not() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("page"):
            return web.json_response({"error": "gone"}, status=410)
        return web.json_response({"value": [1], "nextLink": "/?page=1"})

    assert asked(answer, paginationpolicy={"minimumItemCount": 5}).status_code == 410


def test_a_page_on_a_forbidden_host_is_refused() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"value": [1], "nextLink": "http://10.1.1.1/steal"})

    with pytest.raises(CallFailed, match="private"):
        asked(answer, paginationpolicy={"minimumItemCount": 5})


def test_a_large_body_goes_up_in_parts_of_the_size_the_answer_asks_for() -> None:
    seen: list[tuple[str, str]] = []
    kept = bytearray()

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.headers.get("Content-Range", request.headers.get("x-ms-transfer-mode", ""))))
        if request.method == "POST":
            return web.Response(headers={"Location": "/parts/1", "x-ms-chunk-size": "1000000"})
        kept.extend(await request.read())
        return web.json_response({"kept": len(kept)})

    data = bytes(range(256)) * 24_000
    body = {"$content-type": "application/octet-stream", "$content": base64.b64encode(data).decode()}
    made = asked(answer, method="POST", body=body, contenttransfer={"transferMode": "Chunked"})
    assert made.body == {"kept": len(data)}
    assert bytes(kept) == data
    assert seen[0] == ("POST", "chunked")
    assert seen[1] == ("PATCH", f"bytes=0-999999/{len(data)}")
    assert len(seen) == 8


def test_a_small_body_goes_whole_and_a_host_that_takes_no_parts_is_named() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"size": len(await request.read())})

    assert asked(answer, method="POST", body="x", contenttransfer={"transferMode": "Chunked"}).body == {"size": 1}
    with pytest.raises(CallFailed, match="no Location"):
        asked(answer, method="POST", body="x" * (transfer.PART_BYTES + 1), contenttransfer={"transferMode": "Chunked"})


def test_a_large_answer_comes_in_parts() -> None:
    data = b"0123456789" * 1_300_000

    async def answer(request: web.Request) -> web.StreamResponse:
        start, _, end = request.headers["Range"].removeprefix("bytes=").partition("-")
        part = data[int(start) : int(end) + 1]
        headers = {"Content-Range": f"bytes {start}-{int(start) + len(part) - 1}/{len(data)}", "Content-Type": "text/plain"}
        return web.Response(status=206, body=part, headers=headers)

    assert asked(answer, contenttransfer={"transferMode": "Chunked"}).body == data.decode()


# ---- signing in


def certificate(name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    return key, builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())


def pfx(key: rsa.RSAPrivateKey, made: x509.Certificate, password: str) -> str:
    sealed = serialization.BestAvailableEncryption(password.encode())
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"us", key, made, None, sealed)).decode()


class Directory:
    """Gives tokens, and says what it was asked."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/oauth2/token"):
            form = {name: str(value) for name, value in (await request.post()).items()}
            self.forms.append(form)
            if form.get("client_secret") == "wrong":
                return web.json_response(
                    {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}, status=401
                )
            return web.json_response({"access_token": f"token-{len(self.forms)}", "expires_in": "3600"})
        return web.json_response({"authorization": request.headers.get("Authorization")})


OAUTH = {"type": "ActiveDirectoryOAuth", "authority": "BASE", "tenant": "t", "audience": "https://api.example/", "clientId": "c"}


def test_a_token_is_asked_for_with_the_secret() -> None:
    directory = Directory()
    assert asked(directory.answer, authentication=OAUTH | {"secret": "s"}).body == {"authorization": "Bearer token-1"}
    assert directory.forms == [
        {"grant_type": "client_credentials", "client_id": "c", "resource": "https://api.example/", "client_secret": "s"}
    ]


def test_a_token_is_asked_for_with_a_certificate_that_signs() -> None:
    directory = Directory()
    key, made = certificate("us")
    asked(directory.answer, authentication=OAUTH | {"pfx": pfx(key, made, "p"), "password": "p"})
    head, claims, signature = directory.forms[0]["client_assertion"].split(".")
    key.public_key().verify(base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"] == "c"


def test_a_refused_sign_in_says_what_the_directory_says_and_no_secret() -> None:
    with pytest.raises(CallFailed, match="AADSTS7000215") as caught:
        asked(Directory().answer, authentication=OAUTH | {"secret": "wrong"})
    assert caught.value.code == "SignInRefused"
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("field", ["tenant", "audience", "clientId"])
def test_what_a_sign_in_lacks_is_named(field: str) -> None:
    with pytest.raises(CallFailed, match=field.lower()):
        asked(Directory().answer, authentication={name: value for name, value in OAUTH.items() if name != field})


def test_a_pfx_that_cannot_be_opened_is_told() -> None:
    key, made = certificate("us")
    with pytest.raises(CallFailed, match="password is wrong"):
        asked(Directory().answer, authentication={"type": "ClientCertificate", "pfx": pfx(key, made, "p"), "password": "q"})


def test_a_raw_key_may_go_into_the_query() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(dict(request.query))

    assert asked(answer, authentication={"type": "Raw", "in": "QueryParams", "key": "code", "value": "k"}).body == {"code": "k"}


def test_a_client_certificate_is_shown_to_a_host_that_asks_for_one(tmp_path: Path) -> None:
    key, made = certificate("localhost")
    pair = tmp_path / "server.pem"
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pair.write_bytes(plain + made.public_bytes(serialization.Encoding.PEM))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    client_key, client = certificate("us")
    theirs = tmp_path / "clients.pem"
    theirs.write_bytes(client.public_bytes(serialization.Encoding.PEM))
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(theirs))
    trust.verify_mode = ssl.CERT_REQUIRED
    trust.load_cert_chain(pair)

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        return web.json_response({"subject": str(request.transport.get_extra_info("peercert")["subject"])})

    signed = {"type": "ClientCertificate", "pfx": pfx(client_key, client, "p"), "password": "p"}
    assert "us" in asked(answer, trust=trust, ca=ca, authentication=signed).body["subject"]
    with pytest.raises(CallFailed):
        asked(answer, trust=trust, ca=ca)

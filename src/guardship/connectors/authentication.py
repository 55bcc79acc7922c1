"""The documented ways an Http action signs in: Basic, Raw, ActiveDirectoryOAuth by secret or certificate, ClientCertificate.

A managed identity has tokens only for the hosts of a connected cloud account, which have doors of their own. Tokens are kept until shortly
before they end, and asked for once however many wait.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from yarl import URL

from guardship.connectors.http_client import HttpClient
from guardship.playbooks.connector import CallFailed

AUTHORITY = "https://login.microsoftonline.com"
_EARLY_SECONDS = 120.0
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a call takes along to be let in."""

    headers: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    trust: ssl.SSLContext | None = None


class Authentication:
    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._tokens: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, given: Any) -> Signed:
        """`given` is the `authentication` of an action."""
        if not isinstance(given, dict) or not given:
            return Signed()
        fields = {name.lower(): value for name, value in given.items()}
        match str(fields.get("type", "")).lower():
            case "none":
                return Signed()
            case "basic":
                pair = f"{fields.get('username', '')}:{fields.get('password', '')}"
                return Signed({"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"})
            case "raw":
                name = str(fields.get("parameter") or fields.get("key") or "Authorization")
                if str(fields.get("in", "header")).lower().startswith("quer"):
                    return Signed(queries={name: str(fields.get("value", ""))})
                return Signed({name: str(fields.get("value", ""))})
            case "activedirectoryoauth":
                return Signed({"Authorization": f"Bearer {await self._token(fields)}"})
            case "clientcertificate":
                return Signed(trust=await asyncio.to_thread(self._certified, fields))
            case "managedserviceidentity":
                raise CallFailed("UnknownIdentity", "a managed identity has a token only for the hosts of a connected cloud account")
            case other:
                raise CallFailed("UnsupportedAuthentication", f"the authentication {other or '(none)'} is not supported by the Http action")

    async def _token(self, fields: Mapping[str, Any]) -> str:
        for name in ("tenant", "audience", "clientid"):
            if not fields.get(name):
                raise CallFailed("InvalidAuthentication", f"ActiveDirectoryOAuth needs {name}")
        authority = str(fields.get("authority") or AUTHORITY).rstrip("/")
        secret = str(fields.get("secret") or fields.get("pfx") or "")
        known = hashlib.sha256(
            json.dumps([authority, *[str(fields[name]) for name in ("tenant", "audience", "clientid")], secret]).encode()
        )
        key = known.hexdigest()
        async with self._locks.setdefault(key, asyncio.Lock()):
            token, ends_at = self._tokens.get(key, ("", 0.0))
            if not token or time.monotonic() >= ends_at - _EARLY_SECONDS:
                token, seconds = await self._ask(authority, fields)
                self._tokens[key] = (token, time.monotonic() + seconds)
        return token

    async def _ask(self, authority: str, fields: Mapping[str, Any]) -> tuple[str, float]:
        url = URL(f"{authority}/{fields['tenant']}/oauth2/token")
        form = {"grant_type": "client_credentials", "client_id": str(fields["clientid"]), "resource": str(fields["audience"])}
        if fields.get("pfx"):
            form["client_assertion_type"] = _ASSERTION
            form["client_assertion"] = await asyncio.to_thread(_assertion, fields, str(url))
        else:
            form["client_secret"] = str(fields.get("secret") or "")
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        came = await self._client.send("POST", url, headers, urlencode(form).encode())
        body = came.response.body if isinstance(came.response.body, dict) else {}
        if came.response.status_code != 200 or not body.get("access_token"):
            reason = str(body.get("error_description") or body.get("error") or f"status {came.response.status_code}").splitlines()[0]
            raise CallFailed("SignInRefused", f"{url.host} gave no token: {reason}", may_retry=came.response.status_code >= 500)
        return str(body["access_token"]), float(body.get("expires_in") or 3600)

    def _certified(self, fields: Mapping[str, Any]) -> ssl.SSLContext:
        from cryptography.hazmat.primitives import serialization  # late: only who has certificates needs it

        key, certificates = _opened(fields)
        trust = self._client.trust()
        whole = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with tempfile.TemporaryDirectory(prefix="guardship-cert-") as folder:  # the library takes files only; 0700, gone at once
            file = Path(folder) / "pair.pem"
            file.touch(mode=0o600)
            file.write_bytes(private + whole)
            trust.load_cert_chain(file)
        return trust


def _opened(fields: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """The key and the certificates of a `pfx`, base64 of PKCS #12."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    password = str(fields.get("password") or "")
    try:
        data = base64.b64decode(str(fields.get("pfx") or ""), validate=True)
        key, certificate, more = pkcs12.load_key_and_certificates(data, password.encode() or None)
    except ValueError as error:
        raise CallFailed(
            "InvalidCertificate", "the pfx of the authentication cannot be opened: it is no PKCS #12, or the password is wrong"
        ) from error
    if key is None or certificate is None:
        raise CallFailed("InvalidCertificate", "the pfx of the authentication holds no key with its certificate")
    return key, [certificate, *more]


def _assertion(fields: Mapping[str, Any], audience: str) -> str:
    """A JWT signed with the certificate's key (RFC 7523), as the directory asks for in place of a secret."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key, certificates = _opened(fields)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CallFailed("InvalidCertificate", "the key of the pfx must be an RSA key")
    thumbprint = certificates[0].fingerprint(hashes.SHA1())  # noqa: S303  # what the header x5t is defined as
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", "x5t": _text(thumbprint)}
    claims = {
        "aud": audience,
        "iss": str(fields["clientid"]),
        "sub": str(fields["clientid"]),
        "jti": secrets.token_hex(16),
        "nbf": now - 60,
        "exp": now + 600,
    }
    signed = f"{_text(json.dumps(header).encode())}.{_text(json.dumps(claims).encode())}"
    return f"{signed}.{_text(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

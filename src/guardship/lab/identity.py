"""Who may speak to the lab's ARM: tokens for the client that the `ready` event names, and discovery.

Tokens are JWTs signed with a key of this process: a restarted lab refuses old ones, and clients must ask again.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from guardship.lab.company import stable_uuid
from guardship.lab.world import TENANT_ID

AUDIENCE = "https://management.core.windows.net/"
LIFETIME_SECONDS = 3600


class TokenRefused(Exception):
    """Why a sign-in or a bearer token is not taken."""


class Identity:
    def __init__(self, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self._client_secret = client_secret
        self._key = secrets.token_bytes(32)
        self._known: dict[str, float] = {}

    def sign_in(self, form: bytes) -> dict[str, Any]:
        """The answer of the token endpoint to a client-credentials form."""
        fields = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        if fields.get("grant_type") != "client_credentials":
            raise TokenRefused("unsupported_grant_type")
        given = fields.get("client_secret", "")
        if fields.get("client_id") != self.client_id or not hmac.compare_digest(given.encode(), self._client_secret.encode()):
            raise TokenRefused("invalid_client")
        return self.issue(self.client_id)

    def issue(self, application: str) -> dict[str, Any]:
        now = int(time.time())
        ends_at = now + LIFETIME_SECONDS
        claims = {
            "aud": AUDIENCE,
            "iss": f"https://sts.windows.net/{TENANT_ID}/",
            "tid": TENANT_ID,
            "oid": stable_uuid(f"oid-{application}"),
            "appid": application,
            "iat": now,
            "nbf": now,
            "exp": ends_at,
        }
        signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        token = f"{signed}.{_base64(self._signature(signed))}"
        self._known[token] = ends_at
        return {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "ext_expires_in": LIFETIME_SECONDS, "access_token": token}

    def check(self, header: str) -> None:
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise TokenRefused("the request carries no bearer token")
        expires_at = self._known.get(token.strip())
        if expires_at is None:
            raise TokenRefused("the token is not one of ours")
        if expires_at < time.time():
            raise TokenRefused("the token has expired")

    def _signature(self, signed: str) -> bytes:
        return hmac.new(self._key, signed.encode(), hashlib.sha256).digest()


def discovery(authority: str) -> Mapping[str, Any]:
    tenant = f"{authority}/{TENANT_ID}"
    return {
        "token_endpoint": f"{tenant}/oauth2/v2.0/token",
        "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{tenant}/oauth2/v2.0/devicecode",
        "jwks_uri": f"{tenant}/discovery/v2.0/keys",
        "issuer": f"{tenant}/v2.0",
        "tenant_region_scope": None,
        "cloud_instance_name": "localhost",
        "response_types_supported": ["code", "id_token", "token"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }


def endpoints(authority: str, api_version: str) -> Any:
    found = {
        "name": "GuardshipLab",
        "authentication": {
            "loginEndpoint": authority,
            "audiences": [AUDIENCE, "https://management.azure.com/"],
            "tenant": TENANT_ID,
            "identityProvider": "AAD",
        },
        "resourceManager": authority,
        "graph": f"{authority}/graph",
        "suffixes": {},
    }
    return found if api_version.startswith("2015") else [found]


def _encoded(content: Mapping[str, Any]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

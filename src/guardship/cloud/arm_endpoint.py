"""Where an ARM answers and how one signs in there: an Azure cloud or the lab."""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx

from guardship.clock import Clock
from guardship.errors import Fault, GuardshipError

PUBLIC_HOST = "management.azure.com"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
SCOPE = "https://management.azure.com/.default"
_EARLY_SECONDS = 120.0
API_VERSIONS: Mapping[str, str] = {
    "microsoft.compute": "2024-07-01",
    "microsoft.network": "2024-05-01",
    "microsoft.automation": "2024-10-23",
    "microsoft.security": "2022-01-01",
    "guardship.lab": "2024-05-01",
}
DEFAULT_API_VERSION = "2022-09-01"


class ArmError(GuardshipError):
    """ARM said no: its own code, the HTTP status, its message."""

    code = "cloud.arm_error"

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.arm_code = code
        self.status = status
        self.fault = _FAULTS.get(status, Fault.UNAVAILABLE)


class ArmUnreachable(ArmError):
    """No answer until the deadline; whether the last request was carried out is not known."""

    code = "cloud.arm_unreachable"

    def __init__(self, message: str) -> None:
        super().__init__("", 0, message)


class ForeignHost(GuardshipError):
    """An address outside the hosts of this account: its token would go to a stranger."""

    code = "cloud.foreign_host"
    fault = Fault.FORBIDDEN


_FAULTS = {400: Fault.BAD_INPUT, 403: Fault.FORBIDDEN, 404: Fault.NOT_FOUND, 409: Fault.CONFLICT, 412: Fault.CONFLICT, 429: Fault.TOO_MANY}


class SecretText(Protocol):
    """pydantic's SecretStr has this shape too."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that does not print."""

    _value: str = field(repr=False)

    def get_secret_value(self) -> str:
        return self._value

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class ArmEndpoint:
    base_url: str
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: SecretText
    ca_file: Path | None = None
    hosts: tuple[str, ...] = ()  # names, with a port where it is not 443, that stand for this ARM too

    @property
    def authority(self) -> str:
        return PUBLIC_AUTHORITY if urlsplit(self.base_url).hostname == PUBLIC_HOST else self.base_url.rstrip("/")

    def resolve(self, path: str) -> tuple[str, dict[str, str]]:
        """The path below `base_url` and the query of a path or of an absolute address of this ARM."""
        if "://" in path.split("?", 1)[0]:
            address = urlsplit(path)
            ours = {urlsplit(self.base_url).netloc.lower(), PUBLIC_HOST, *(host.lower() for host in self.hosts)}
            if address.scheme != "https" or address.netloc.lower() not in ours:
                raise ForeignHost(f"{address.scheme}://{address.netloc} is not a host of this cloud account")
            return address.path, dict(parse_qsl(address.query, keep_blank_values=True))
        plain, _, query = path.partition("?")
        return plain, dict(parse_qsl(query, keep_blank_values=True))

    def trust(self) -> ssl.SSLContext:
        """The authority of the account's file alone where it has one, else the system's."""
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)


def api_version_of(path: str) -> str:
    """The pinned version for the last provider of a path."""
    segments = [segment for segment in path.lower().split("/") if segment]
    for at in range(len(segments) - 2, -1, -1):
        if segments[at] == "providers":
            return API_VERSIONS.get(segments[at + 1], DEFAULT_API_VERSION)
    return DEFAULT_API_VERSION


class ArmToken:
    """The bearer token of one endpoint, asked for once and again before it ends. Thread-safe."""

    def __init__(self, endpoint: ArmEndpoint, client: httpx.Client, clock: Clock) -> None:
        self._endpoint = endpoint
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends_at = 0.0

    def header(self) -> str:
        """Raises httpx.TransportError when the authority does not answer."""
        with self._lock:
            if not self._token or self._clock.monotonic() >= self._ends_at - _EARLY_SECONDS:
                self._ask()
            return f"Bearer {self._token}"

    def forget(self, header: str) -> None:
        """Ask again next time, unless someone else did since this header was given."""
        with self._lock:
            if header == f"Bearer {self._token}":
                self._token = ""

    def _ask(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._endpoint.client_id,
            "client_secret": self._endpoint.client_secret.get_secret_value(),
            "scope": SCOPE,
        }
        address = f"{self._endpoint.authority}/{self._endpoint.tenant_id}/oauth2/v2.0/token"
        asked_at = self._clock.monotonic()
        response = self._client.post(address, data=form)
        if response.status_code != httpx.codes.OK:
            raise ArmError("AuthenticationFailed", 401, f"the sign-in as {self._endpoint.client_id} was refused: {response.text[:300]}")
        answer = response.json()
        self._token = str(answer["access_token"])
        self._ends_at = asked_at + float(answer.get("expires_in", 3600))

"""Where the server listens: in plain on loopback alone, with TLS by our own authority everywhere else and for Azure clients."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from guardship.errors import Fault, GuardshipError
from guardship.identity.certificates import CA_FILE, issue_server_certificate, server_context
from guardship.settings import Settings

_ANYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not bound to


class PortTaken(GuardshipError):
    code = "server.port_taken"
    fault = Fault.CONFLICT


@dataclass(frozen=True, slots=True)
class Doorway:
    """A listening socket; `context` is None where it speaks plain HTTP."""

    listener: socket.socket
    context: ssl.SSLContext | None

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Doorways:
    """The console's and API's door, and the one for Azure clients; how others and this machine name the first."""

    main: Doorway
    clients: Doorway
    url: str
    local_url: str
    ca_file: Path | None  # what to trust at `local_url`; None where it is plain


def open_doorways(settings: Settings, certificates: Path) -> Doorways:
    names = tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), *_names(settings))))
    context = server_context(issue_server_certificate(certificates, names, whose="Guardship"))
    main = Doorway(_listen(settings.listen_host, settings.listen_port, "LISTEN_PORT"), None if settings.is_loopback else context)
    try:
        clients = Doorway(_listen(settings.listen_host, settings.clients_port, "CLIENTS_PORT"), context)
    except PortTaken:
        main.listener.close()
        raise
    scheme = "https" if main.context else "http"
    host = socket.gethostname() if settings.listen_host in _ANYWHERE else settings.listen_host
    local_host = "127.0.0.1" if settings.listen_host in _ANYWHERE else settings.listen_host
    url = settings.public_url.rstrip("/") or f"{scheme}://{_bracketed(host)}:{main.port}"
    ca_file = certificates / CA_FILE if main.context else None
    return Doorways(main, clients, url, f"{scheme}://{_bracketed(local_host)}:{main.port}", ca_file)


def _names(settings: Settings) -> tuple[str, ...]:
    public = urlsplit(settings.public_url).hostname
    own = () if settings.listen_host in _ANYWHERE else (settings.listen_host,)
    return own + ((public,) if public else ())


def _listen(host: str, port: int, setting: str) -> socket.socket:
    # With protocol 0 asyncio would set no TCP_NODELAY.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"port {port} of {host} cannot be used: {error.strerror}", hint=f"set GUARDSHIP_{setting} to another") from error
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

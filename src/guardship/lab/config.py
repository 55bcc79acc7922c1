"""What the lab is told in its first line, and what one of its stages hands to the next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardship.errors import Fault, GuardshipError
from guardship.identity.certificates import ServerCertificate
from guardship.lab.filter import TrackingMode
from guardship.lab.uplink import IngestAddress


class BadLabConfig(GuardshipError):
    code = "lab.bad_config"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class LabConfig:
    """A port of 0 is any; `ready` tells the real ones."""

    ca_dir: Path
    mode: TrackingMode = TrackingMode.CUTTING
    arm_host: str = "127.0.0.1"
    arm_port: int = 0
    smtp_port: int = 0
    seed: int = 1
    ingest_url: str = ""
    ingest_tokens: Mapping[str, str] = field(default_factory=dict)
    client_id: str = ""
    client_secret: str = ""
    with_ipv6: bool = True
    is_simulated: bool = False  # asked for, as on a host that refuses namespaces

    @staticmethod
    def read(line: str) -> "LabConfig":
        try:
            given: dict[str, Any] = json.loads(line)
            ingest: dict[str, Any] = given.get("ingest") or {}
            return LabConfig(
                ca_dir=Path(given["ca_dir"]),
                mode=TrackingMode(given.get("mode", "cutting")),
                arm_host=str(given.get("arm_host", "127.0.0.1")),
                arm_port=int(given.get("arm_port", 0)),
                smtp_port=int(given.get("smtp_port", 0)),
                seed=int(given.get("seed", 1)),
                ingest_url=str(ingest.get("url", "")),
                ingest_tokens={str(name): str(token) for name, token in (ingest.get("tokens") or {}).items()},
                client_id=str(given.get("client_id", "")),
                client_secret=str(given.get("client_secret", "")),
                with_ipv6=bool(given.get("ipv6", True)),
                is_simulated=bool(given.get("simulated", False)),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadLabConfig(f"the lab's configuration cannot be read: {error!r}") from error

    @property
    def ingest(self) -> IngestAddress:
        return IngestAddress(self.ingest_url, self.ingest_tokens)


@dataclass(frozen=True, slots=True)
class Handover:
    """All that the second stage needs; nothing in it is a path it must reach."""

    config_line: str
    certificate: ServerCertificate
    arm_socket: int
    smtp_socket: int
    parent_pid: int
    started_at: float  # monotonic

    def written(self) -> str:
        return json.dumps(
            {
                "config_line": self.config_line,
                "chain": self.certificate.chain,
                "key": self.certificate.key,
                "arm_socket": self.arm_socket,
                "smtp_socket": self.smtp_socket,
                "parent_pid": self.parent_pid,
                "started_at": self.started_at,
            }
        )

    @staticmethod
    def read(text: str) -> "Handover":
        given: dict[str, Any] = json.loads(text)
        certificate = ServerCertificate(given.pop("chain"), given.pop("key"))
        return Handover(certificate=certificate, **given)

"""Every setting, typed, with a default that is safe. The only place that reads the environment.

A setting comes from `GUARDSHIP_<NAME>` or from `<home>/guardship.toml`; the environment wins.
"""

import os
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SETTINGS_FILE = "guardship.toml"


class JobIsolation(StrEnum):
    """How a job is walled in; `none` must be asked for and is shown on every job."""

    WALLS = "walls"
    NONE = "none"


class MailSecurity(StrEnum):
    """How the mail server is spoken to."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Dispatching(StrEnum):
    """Who tells workers that a run of a playbook has something to do."""

    LOCAL = "local"
    PROCRASTINATE = "procrastinate"
    TEMPORAL = "temporal"


class TrackingMode(StrEnum):
    """How the lab treats flows that are open when a group changes."""

    CUTTING = "cutting"
    AZURE = "azure"


def default_home() -> Path:
    """`$GUARDSHIP_HOME`, else `/var/lib/guardship` for root and `~/.local/share/guardship` for everyone else."""
    if given := os.environ.get("GUARDSHIP_HOME"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/guardship")
    return Path.home() / ".local/share/guardship"


def environment_for_child(home: Path) -> dict[str, str]:
    """This process's environment for a child that works on the same data folder."""
    return dict(os.environ) | {"GUARDSHIP_HOME": str(home)}


class Settings(BaseSettings):
    """Settings of the server and of the command that starts it."""

    model_config = SettingsConfigDict(env_prefix="GUARDSHIP_", extra="forbid")

    home: Path = Field(default_factory=default_home, description="Folder of the data: database, logs, keys, payloads.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Address of a PostgreSQL database, `postgresql://user:password@host/name`; empty: SQLite in the data folder.",
    )
    dispatch: Dispatching = Field(
        Dispatching.LOCAL, description="Who wakes runs of playbooks: `local`; with `database_url` also `procrastinate` or `temporal`."
    )
    temporal_address: str = Field("127.0.0.1:7233", description='Host and port of Temporal, for `dispatch = "temporal"`.')
    temporal_namespace: str = Field("default", description="Namespace on Temporal.")
    listen_host: str = Field("127.0.0.1", description="Address of console and API; other than loopback turns TLS on.")
    listen_port: int = Field(24080, ge=0, le=65535, description="Port of console and API.")
    clients_port: int = Field(24442, ge=0, le=65535, description="Port for enrolment and Azure clients, https.")
    agents_port: int = Field(
        24443,
        ge=0,
        le=65535,
        description="Port for enrolled agents; nothing listens there until agents can enrol, and no write may shut it.",
    )
    lab_arm_port: int = Field(24444, ge=0, le=65535, description="Port of the lab's ARM, https on loopback.")
    lab_mail_port: int = Field(24445, ge=0, le=65535, description="Port of the lab's mailbox, SMTP on loopback.")
    lab_mode: TrackingMode = Field(TrackingMode.CUTTING, description="How the lab treats sessions that are open when a group changes.")
    log_level: str = Field("info", description="Least severe log line to print: debug, info, warning, error.")
    log_memory_mb: int = Field(128, ge=32, description="Memory that the log store may use, in MB.")
    session_hours: float = Field(12, gt=0, le=720, description="Hours after which a signed-in session ends.")
    sign_in_tries: int = Field(5, ge=1, le=100, description="Wrong passwords before a pause of fifteen minutes.")
    job_isolation: JobIsolation = Field(
        JobIsolation.WALLS, description="`none` runs jobs without walls where the host allows no namespaces."
    )
    job_slots: int = Field(8, ge=1, le=100, description="Jobs that run at once; each slot has a uid of its own when started as root.")
    job_seconds: int = Field(3 * 3600, ge=1, description="Longest a job may take, in seconds.")
    job_memory_mb: int = Field(512, ge=64, description="Memory of one job, in MB.")
    isolation_lease_minutes: int = Field(240, ge=1, description="Length of an isolation's lease; at its end somebody is asked.")
    isolation_release_by_itself: bool = Field(False, description="Release at the end of the lease without asking.")
    isolation_cap_count: int = Field(5, ge=1, description="Machines isolated now or in the past hour above which a person is asked.")
    isolation_cap_percent: float = Field(10.0, gt=0, le=100, description="The same as a share of all machines, rounded up.")
    isolation_group: str = Field("IsolatedNetwork-NSG", description="Name of the closed security group.")
    isolation_resource_group: str = Field("AzureBootcamp", description="Resource group of the closed security group.")
    outbound_hosts: tuple[str, ...] = Field(
        (), description="Hosts that playbooks may call; `*.example.org` takes all below; empty takes public ones."
    )
    outbound_private: bool = Field(False, description="Let playbooks call private and loopback addresses.")
    smtp_host: str = Field("", description="Mail server for the mail connector; empty means the lab's mailbox when the lab runs.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the mail server.")
    smtp_from: str = Field("guardship@localhost", description="Sender of mail.")
    smtp_security: MailSecurity = Field(MailSecurity.NONE, description="How the mail server is spoken to: `none`, `starttls` or `tls`.")
    smtp_user: str = Field("", description="Account at the mail server, if it asks for one.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of that account.")
    run_keep_days: int = Field(0, ge=0, description="Days after its end that the history of a run is kept; 0 keeps it for ever.")
    run_keep_mb: int = Field(0, ge=0, description="Size of the database above which the oldest ended runs go, in MB; 0 sets no limit.")
    public_url: str = Field("", description="Address by which others reach this server; empty means the listening address.")
    own_addresses: tuple[str, ...] = Field(
        (), description="Addresses by which the clouds know this server, beside those of its own interfaces."
    )
    fault_points: str = Field("", description="Tests only: `name:nth:kill|stop|raise|sleep`, separated by commas.")

    @property
    def is_loopback(self) -> bool:
        return self.listen_host in {"127.0.0.1", "::1", "localhost"}

    @model_validator(mode="after")
    def _keeps_the_mail_password_to_itself(self) -> "Settings":
        if self.smtp_user and self.smtp_security is MailSecurity.NONE:
            raise ValueError("with smtp_user, smtp_security must be starttls or tls: a password does not travel in plain")
        return self

    @model_validator(mode="after")
    def _shares_runs_where_they_can_be_shared(self) -> "Settings":
        if self.dispatch is not Dispatching.LOCAL and not self.database_url.get_secret_value():
            raise ValueError(f"dispatch = {self.dispatch.value} needs PostgreSQL: set database_url")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        file = Path(self.current_state.get("home") or default_home()) / SETTINGS_FILE
        try:
            return tomllib.loads(file.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return {}

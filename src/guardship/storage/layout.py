"""Where things lie below the data folder."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from guardship.errors import Fault, GuardshipError


class DataFolderRefused(GuardshipError):
    code = "storage.data_folder_refused"
    fault = Fault.BAD_INPUT


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder. `keys` is left out of backups: what is sealed opens only where the key file is."""

    home: Path

    @property
    def database(self) -> Path:
        return self.home / "guardship.db"

    @property
    def logs(self) -> Path:
        return self.home / "logs.duckdb"

    @property
    def blobs(self) -> Path:
        return self.home / "blobs"

    @property
    def vault_key(self) -> Path:
        return self.home / "keys" / "vault.key"

    @property
    def certificates(self) -> Path:
        return self.home / "certificates"

    @property
    def jobs(self) -> Path:
        return self.home / "jobs"

    @property
    def isolations(self) -> Path:
        return self.home / "isolations"

    @property
    def lab(self) -> Path:
        return self.home / "lab"

    @property
    def custom_tables(self) -> Path:
        """Log tables that came to be with their first rows, as files of the catalogue."""
        return self.home / "tables"

    @property
    def recordings(self) -> Path:
        """What connectors answered, for replay."""
        return self.home / "recordings"

    @property
    def run(self) -> Path:
        """Sockets and other things of the running server."""
        return self.home / "run"

    @property
    def job_door(self) -> Path:
        """The socket by which the processes of jobs reach the server."""
        return self.run / "jobs.sock"

    def make(self) -> None:
        """All folders, readable by their owner alone; raises DataFolderRefused."""
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.blobs, self.vault_key.parent, self.certificates, self.jobs, self.isolations, self.lab, self.run):
                folder.mkdir(exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.home):
                pass
        except OSError as error:
            why = error.strerror or str(error)
            raise DataFolderRefused(f"the data folder {self.home} cannot be used: {why}", hint="name another in GUARDSHIP_HOME") from error

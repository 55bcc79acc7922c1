"""Write a migration from what the tables in the code and the newest migration differ by.

new_migration.py "Add a column to …"
new_migration.py "The tables of identity" identity      the tables of one package alone
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from alembic import command  # after the path is known

from guardship.migrations.upgrading import HERE, config_for
from guardship.storage.database import Database


def main() -> None:
    message, package = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    count = len(list((HERE / "versions").glob("[0-9]*.py")))
    with tempfile.TemporaryDirectory() as folder:
        config = config_for(Database(Path(folder) / "old.db"))
        if count:
            command.upgrade(config, "head")
        config.attributes["package"] = package
        command.revision(config, message=message, autogenerate=True, rev_id=f"{count + 1:04d}")


if __name__ == "__main__":
    main()

"""What is made from the code is as the code is now: migrations, the OpenAPI document, the typed client, reference pages."""

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from guardship.api.app import describe
from guardship.migrations.tables import METADATA
from guardship.migrations.upgrading import DatabaseTooNew, current_revision, revisions, upgrade
from guardship.storage.database import Database

ROOT = Path(__file__).resolve().parents[2]


def test_the_migrations_make_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    upgrade(path)
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA})
        differences = [each for each in compare_metadata(context, METADATA) if "alembic_version" not in str(each)]
    engine.dispose()
    assert not differences, "make a migration: tools/new_migration.py"


def test_an_upgrade_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    upgrade(path)
    upgrade(path)
    assert current_revision(path) == revisions()[-1]


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    upgrade(path)
    with closing(Database(path).raw_connection()) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseTooNew, match="9999"):
        upgrade(path)


def test_the_openapi_document_is_fresh() -> None:
    kept = json.loads((ROOT / "web/openapi.json").read_text("utf-8"))
    now = json.loads(json.dumps(describe().openapi()))
    assert kept == now, "python -m guardship.api.openapi > web/openapi.json, then npm run generate in web"


def test_the_typed_client_is_fresh(tmp_path: Path) -> None:
    maker = ROOT / "web/node_modules/.bin/openapi-typescript"
    assert maker.exists(), "run tools/prepare.py dev"
    node = shutil.which("node") or "node"
    made = tmp_path / "schema.ts"
    script = maker.resolve()
    done = subprocess.run(
        [node, str(script), "openapi.json", "--output", str(made)], cwd=ROOT / "web", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert made.read_text() == (ROOT / "web/src/api/schema.ts").read_text(), "npm run generate in web"


def test_the_reference_pages_are_fresh() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/reference_pages.py"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_lock_or_pin_holds_an_address() -> None:
    for name in ("requirements/run.txt", "requirements/dev.txt", "web/package-lock.json"):
        text = (ROOT / name).read_text("utf-8")
        assert '"resolved": "http' not in text
        assert "--index-url" not in text
        assert "--find-links" not in text

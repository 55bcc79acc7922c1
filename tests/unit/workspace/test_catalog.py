"""The catalogue: the shipped tables, and what a file must hold."""

from pathlib import Path

import pytest

from guardship.workspace.catalog import BadCatalogFile, Catalog, UnknownLogTable, physical_name, read_table
from guardship.workspace.kql.types import KqlType
from guardship.workspace.row_batches import read_rows


def test_the_shipped_tables_are_there() -> None:
    wanted = {"Syslog", "SecurityEvent", "SecurityAlert", "SecurityIncident", "ConfigurationData", "ConfigurationChange", "Heartbeat"}
    assert wanted <= Catalog.load().tables.keys()


@pytest.mark.parametrize("name", sorted(Catalog.load().tables))
def test_the_example_of_a_table_is_a_row_of_it(name: str) -> None:
    table = Catalog.load().table(name)
    read = read_rows(table, [dict(table.example)], machine=None)
    assert not read.rejected
    assert not read.ignored_columns


def test_every_table_has_the_standard_columns_and_hides_two() -> None:
    table = Catalog.load().table("Syslog")
    assert {"TenantId", "Type", "SourceSystem", "_ResourceId", "_SubscriptionId"} <= {column.name for column in table.columns}
    assert {column.name for column in table.columns if column.is_hidden} == {"_TimeReceived", "_ItemId"}


def test_names_that_differ_in_case_only_are_kept_apart() -> None:
    names = ["StackTrace", "Stacktrace", "clientIp_s", "clientIP_s", "Type", "type", "a" * 40 + "B", "a" * 40 + "b"]
    physical = [physical_name(name) for name in names]
    assert len({name.lower() for name in physical}) == len(names)


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(UnknownLogTable, match="did you mean Syslog"):
        Catalog.load().table("SysLogs")


def test_a_table_of_ones_own_is_read_beside_the_shipped_ones(tmp_path: Path) -> None:
    text = 'name = "Doors_CL"\nmeaning = "m"\n[columns]\nDoor = { type = "string", meaning = "which" }\n[example]\nDoor = "north"\n'
    (tmp_path / "doors.toml").write_text(text)
    table = Catalog.load(tmp_path).table("Doors_CL")
    assert table.columns[0].type is KqlType.STRING
    assert table.machine_column is None


@pytest.mark.parametrize(
    "text", ["name = ", 'name = "X"\nmeaning = "m"\n', 'name="X"\nmeaning="m"\nexample={}\n[columns]\nA = {type="text", meaning="m"}\n']
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(BadCatalogFile, match=r"broken\.toml"):
        read_table(file)

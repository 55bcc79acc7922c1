"""Write the reference pages that come from the code: settings and log tables. With `--check` only say whether they are fresh."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from guardship.settings import Settings  # noqa: E402  # after the path is known


def main() -> None:
    pages = {"settings.md": settings_page(), "tables.md": tables_page()}
    stale = []
    for name, text in pages.items():
        file = ROOT / "docs" / name
        if file.exists() and file.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            file.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run `make docs`")


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Each is set as `GUARDSHIP_<NAME>` in the environment, or as `name = value` in `guardship.toml` in the data folder; the environment wins.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "depends on the user" if name == "home" else shown(field.default)
        lines.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def tables_page() -> str:
    lines = [
        "# Log tables",
        "",
        "Every table also has the standard columns `TenantId`, `Type`, `SourceSystem`, `_ResourceId`, `_SubscriptionId`.",
    ]
    for file in sorted((ROOT / "src/guardship/workspace/catalog").glob("*.toml")):
        table = tomllib.loads(file.read_text("utf-8"))
        lines += ["", f"## {table.get('name', file.stem)}", "", str(table.get("meaning", table.get("description", ""))), ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        for column in columns(table):
            lines.append(f"| `{column['name']}` | {column['type']} | {column.get('meaning', column.get('description', ''))} |")
    return "\n".join(lines) + "\n"


def columns(table: dict[str, object]) -> list[dict[str, str]]:
    given = table.get("columns", table.get("column", []))
    if isinstance(given, dict):
        return [{"name": name, **(value if isinstance(value, dict) else {"type": str(value)})} for name, value in given.items()]
    return list(given) if isinstance(given, list) else []


def shown(default: object) -> str:
    text = str(getattr(default, "value", default))
    return f"`{text}`" if text and "**" not in text and text != "()" else "empty"


if __name__ == "__main__":
    main()

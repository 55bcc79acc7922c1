"""Rule files, and the rules that ship with the product: brought up to date at each start, never switched on by it."""

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from guardship.detection.rules import CONTENT, BadRule, Rule, save_rule


def read_rule_file(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    try:
        match file.suffix:
            case ".toml":
                document: Any = tomllib.loads(text)
            case ".json":
                document = json.loads(text)
            case _:
                document = yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, ValueError, yaml.YAMLError) as error:
        raise BadRule(f"{file.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BadRule(f"{file.name} holds no rule")
    return document


def import_shipped(session: Session, *, at: datetime, folder: Path = CONTENT) -> list[Rule]:
    """All rules of the folder; a frequency or severity that someone has set stays."""
    found: list[Rule] = []
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.toml")]):
        document = read_rule_file(file)
        if not document.get("id"):
            raise BadRule(f"{file.name} has no id")
        row = session.get(Rule, f"rule_{document['id']}")
        if row is None:
            row = save_rule(session, document, by="guardship", at=at)
            row.is_shipped = True
        elif row.is_shipped and row.definition != document:
            row.definition, row.name = document, str(document["name"])
        found.append(row)
    return found

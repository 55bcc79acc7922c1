"""A schema that is taken for valid at first sight is valid."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from guardship.playbooks.actions.schemas import check_schema, is_plain

TEXTS = st.sampled_from(["string", "array", "a", "object", ""])
SCHEMAS = st.recursive(
    st.booleans() | st.none() | TEXTS | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "required", "title", "default", "additionalProperties", "format", "minimum", "$ref"]
            ),
            inner | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(SCHEMAS)
@settings(max_examples=300, deadline=None)
def test_what_is_plain_is_valid(schema: Any) -> None:
    if is_plain(schema):
        Draft7Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        (
            {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"items": {"type": "integer"}}}, "required": ["a"]},
            True,
        ),
        ({"title": "x", "description": "y", "default": None, "additionalProperties": False}, True),
        ({"type": "object", "patternProperties": {}}, False),
        ({"properties": {"a": {"minimum": 1}}}, False),
    ],
)
def test_the_schemas_of_designers_are_plain_and_others_are_looked_at(schema: dict[str, Any], plain: bool) -> None:
    assert is_plain(schema) is plain
    check_schema(schema)


@pytest.mark.parametrize(
    "schema", [{"type": "text"}, {"type": []}, {"type": ["a", "a"]}, {"properties": []}, {"required": [1]}, {"title": 1}]
)
def test_what_is_not_valid_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        check_schema(schema)

"""What looks like a secret never reaches a log."""

import json

import pytest

from guardship import telemetry


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "p4ss"},
        {"client_secret": "p4ss"},
        {"Authorization": "Bearer p4ss"},
        {"nested": {"api_key": "p4ss", "fine": 1}},
        {"listed": [{"sign_in_token": "p4ss"}]},
        {"cookie": ["p4ss"]},
    ],
)
def test_a_secret_prints_as_stars(fields: dict[str, object]) -> None:
    shown = json.dumps(telemetry.mask_secrets(None, "info", dict(fields)))
    assert "p4ss" not in shown
    assert "***" in shown


def test_ids_and_counts_stay_readable() -> None:
    kept = telemetry.mask_secrets(None, "info", {"token_id": "tokn_1", "token_count": 3, "job_id": "job_1"})
    assert json.loads(json.dumps(kept)) == {"token_id": "tokn_1", "token_count": 3, "job_id": "job_1"}

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.connectors.asking import ask, request_for

from guardship.connectors.published_operations import shipped
from guardship.connectors.recordings import BadRecording, Record, RecordedFile, Replay, append, masked, read_recording, record_of
from guardship.playbooks.connector import CallFailed, ConnectorResponse

CONNECTION = {"token": "a-long-token", "instance": "dev", "secrets": {"mail": "hunter22"}}


def test_what_opens_the_service_is_masked_wherever_it_stands() -> None:
    request = request_for("slack", "post_message", queries={"text": "see a-long-token", "apiKey": "k"})
    response = ConnectorResponse(200, {"Set-Cookie": "c", "Content-Type": "application/json"}, {"echo": ["a-long-token", "hunter22"]})
    line = record_of("slack", request, response, CONNECTION).as_line().decode()
    for secret in ("a-long-token", "hunter22", "Set-Cookie", '"k"'):
        assert secret not in line
    assert "application/json" in line


def test_a_secret_that_is_answered_is_not_kept_but_its_shape_is() -> None:
    operation = shipped()["keyvault"].operation("get_secret")
    response = ConnectorResponse(200, {}, {"value": "s3cret", "id": "https://v/secrets/x"})
    record = record_of("keyvault", request_for("keyvault", "get_secret"), response, {}, operation)
    assert record.response.body == {"value": "***", "id": "***"}


def test_names_of_secrets_are_masked_at_any_depth() -> None:
    assert masked({"a": [{"Client-Secret": "x", "name": "y"}], "Password": None}) == {
        "a": [{"Client-Secret": "***", "name": "y"}],
        "Password": None,
    }


def test_a_recording_that_was_written_is_replayed(tmp_path: Path) -> None:
    request = request_for("virustotal", "get_ip", address="198.51.100.7")
    append(tmp_path / "virustotal.jsonl", record_of("virustotal", request, ConnectorResponse(200, {}, {"data": 1}), {}))
    replay = RecordedFile("virustotal", tmp_path)
    assert replay.missing("get_ip", {}) is None
    assert ask(replay, request).body == {"data": 1}


def test_the_same_request_comes_before_the_same_path_and_that_before_any() -> None:
    def record(path: str, body: object, said: str) -> Record:
        return Record("desk", "look", {"path": path, "queries": {}, "body": body}, ConnectorResponse(200, {}, said))

    replay = Replay(
        "desk",
        [
            record("/b", None, "other"),
            record("/api/v3/ip_addresses/{address}", 1, "path"),
            record("/API/v3/ip_addresses/{address}", 2, "same"),
        ],
    )
    asked = replace(request_for("virustotal", "get_ip", 2), operation="look")
    assert ask(replay, asked).body == "same"
    assert ask(replay, replace(asked, body=3)).body == "path"
    assert ask(replay, replace(asked, path="/c")).body == "other"


def test_what_was_never_recorded_fails_by_its_name(tmp_path: Path) -> None:
    replay = RecordedFile("virustotal", tmp_path)
    assert replay.missing("get_ip", {}) == "no recording of virustotal holds an answer of get_ip"
    with pytest.raises(CallFailed, match="get_ip"):
        ask(replay, request_for("virustotal", "get_ip"))


def test_a_line_that_is_no_record_is_named_by_its_number() -> None:
    with pytest.raises(BadRecording, match="line 2"):
        read_recording('{"connector": "a", "operation": "b", "response": {"statusCode": 200}}\n{"connector": "a"}\n')


def test_a_broken_recording_is_known_before_the_call(tmp_path: Path) -> None:
    (tmp_path / "virustotal.jsonl").write_text("{}\n")
    assert "virustotal.jsonl: line 1 is no record" in str(RecordedFile("virustotal", tmp_path).missing("get_ip", {}))

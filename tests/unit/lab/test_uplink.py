import time
from collections.abc import Callable, Iterator

import pytest
from tests.unit.lab.ingest_door import Ingest

from guardship.lab import uplink as uplink_module
from guardship.lab.uplink import IngestAddress, Uplink


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    ingest = Ingest()
    yield ingest
    ingest.stop()


@pytest.fixture
def start() -> Iterator[Callable[[int], tuple[Uplink, list[str]]]]:
    started: list[Uplink] = []

    def begin(port: int) -> tuple[Uplink, list[str]]:
        told: list[str] = []
        uplink = Uplink(IngestAddress(f"http://127.0.0.1:{port}", {"web-1": "t1", "db-1": "t2"}), lambda event, _: told.append(event))
        uplink.start()
        started.append(uplink)
        return uplink, told

    yield begin
    for uplink in started:
        uplink.stop()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_rows_reach_the_ingest_api_soon_with_the_token_of_their_machine(
    ingest: Ingest, start: Callable[[int], tuple[Uplink, list[str]]]
) -> None:
    uplink, _ = start(ingest.port)
    sent_at = time.monotonic()
    uplink.send("web-1", [{"n": 1}])
    uplink.send("db-1", [{"n": 2}])
    uplink.send("unknown", [{"n": 3}])
    assert eventually(lambda: len(ingest.rows) == 2)
    assert time.monotonic() - sent_at < 0.2
    assert sorted(ingest.numbers()) == [("Bearer t1", 1), ("Bearer t2", 2)]


def test_rows_wait_while_the_server_is_away_and_none_is_lost_or_out_of_order(start: Callable[[int], tuple[Uplink, list[str]]]) -> None:
    first = Ingest()
    port = first.port
    uplink, told = start(port)
    uplink.send("web-1", [{"n": 0}])
    assert eventually(lambda: len(first.rows) == 1)
    first.stop()
    for number in range(1, 1200):
        uplink.send("web-1", [{"n": number}])
    assert eventually(lambda: "uplink_waiting" in told)
    second = Ingest(port)
    assert eventually(lambda: len(second.rows) >= 1199)
    assert [number for _, number in second.numbers()] == list(range(1, 1200))
    second.stop()


def test_rows_that_are_refused_for_good_are_told_and_given_up(ingest: Ingest, start: Callable[[int], tuple[Uplink, list[str]]]) -> None:
    uplink, told = start(ingest.port)
    ingest.status = 422
    uplink.send("web-1", [{"n": 1}])
    assert eventually(lambda: "error" in told)
    ingest.status = 200
    uplink.send("web-1", [{"n": 2}])
    assert eventually(lambda: ingest.numbers() == [("Bearer t1", 2)])


def test_an_unknown_token_is_tried_again(ingest: Ingest, start: Callable[[int], tuple[Uplink, list[str]]]) -> None:
    uplink, told = start(ingest.port)
    ingest.status = 401
    uplink.send("web-1", [{"n": 1}])
    assert eventually(lambda: "uplink_waiting" in told)
    ingest.status = 200
    assert eventually(lambda: ingest.numbers() == [("Bearer t1", 1)])


def test_beyond_the_cap_the_oldest_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink_module, "KEPT_ROWS", 3)
    uplink = Uplink(IngestAddress("http://127.0.0.1:9", {"web-1": "t"}), lambda *_: None)
    uplink.send("web-1", [{"n": number} for number in range(5)])
    assert [row["n"] for row in uplink.waiting("web-1")] == [2, 3, 4]

"""The attack as the lab tells it, and what of it reaches the ingest API."""

import asyncio
import smtplib
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.unit.lab.ingest_door import Ingest
from tests.unit.lab.laboratory import Laboratory

from guardship.cloud.arm import Actor, ActorKind
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity
from guardship.lab.http_door import HttpDoor, Reply

ACTOR = Actor(ActorKind.USER, "tester")


@pytest.fixture(scope="module")
def ingest() -> Iterator[Ingest]:
    ingest = Ingest()
    yield ingest
    ingest.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, ingest: Ingest) -> Iterator[Laboratory]:
    address = {"url": f"http://127.0.0.1:{ingest.port}", "tokens": {"web-1": "token-of-web-1"}}
    with Laboratory(tmp_path_factory.mktemp("lab"), ingest=address) as lab:
        yield lab


@pytest.fixture
def lab(running: Laboratory) -> Laboratory:
    running.reset()
    return running


def test_the_lab_is_up_within_two_seconds(lab: Laboratory) -> None:
    assert lab.ready["boot_seconds"] < 2


def test_failed_logons_reach_the_ingest_api_while_the_attack_goes_on(lab: Laboratory, ingest: Ingest) -> None:
    ingest.rows.clear()
    lab.attack()
    time.sleep(0.3)
    failed = [
        row for token, row in ingest.rows if token == "Bearer token-of-web-1" and str(row["SyslogMessage"]).startswith("Failed password")
    ]
    accepted = [row for _, row in ingest.rows if "Accepted password for deploy from 203.0.113.66" in str(row["SyslogMessage"])]
    assert len(failed) >= 10
    assert len(accepted) == 1
    assert all(row["Computer"] == "web-1" for row in failed)


def test_a_row_is_at_the_ingest_api_within_a_fifth_of_a_second(lab: Laboratory, ingest: Ingest) -> None:
    ingest.rows.clear()
    lab.order(do="attack")
    lab.wait_for("guess", after=lab.mark())
    deadline = time.monotonic() + 3
    while not ingest.rows and time.monotonic() < deadline:
        time.sleep(0.005)
    stamp = datetime.fromisoformat(str(ingest.rows[-1][1]["TimeGenerated"])).replace(tzinfo=UTC)
    assert ingest.received_at - stamp.timestamp() < 0.2
    lab.reset()


def test_the_tale_of_an_attack_is_told_in_its_order(lab: Laboratory) -> None:
    mark = lab.mark()
    lab.attack()
    tale = [event for event in lab.events[mark:] if event["event"] in {"first_hostile_packet", "guess", "session_opened"}]
    assert tale[0]["event"] == "first_hostile_packet"
    assert tale[-1]["event"] == "session_opened"
    assert len(tale) >= 12
    assert [event["at"] for event in tale] == sorted(event["at"] for event in tale)


def test_a_session_streams_at_two_hundred_packets_a_second_or_more(lab: Laboratory) -> None:
    lab.attack()
    connectivity, machine = Connectivity(lab.client()), AzureProvider(lab.client()).machine("web-1")

    def sent() -> int:
        return next(flow.bytes_sent for flow in connectivity.live_flows(machine) or () if flow.local_port == 22 and flow.is_live)

    first, started_at = sent(), time.monotonic()
    assert (sent() - first) / 240 / (time.monotonic() - started_at) > 200


def test_an_attack_on_an_isolated_machine_gets_nowhere(lab: Laboratory) -> None:
    provider = AzureProvider(lab.client())
    interface = provider.interfaces_of(provider.machine("web-1"))[0]
    provider.assign_group(interface, str(lab.ready["isolated_group"]), actor=ACTOR)
    mark = lab.mark()
    lab.order(do="attack")
    assert lab.wait_for("attack_failed", after=mark)["guess"] == 1


def test_a_reset_puts_everything_back_and_ends_the_session(lab: Laboratory) -> None:
    provider = AzureProvider(lab.client())
    interface = provider.interfaces_of(provider.machine("web-1"))[0]
    lab.attack()
    provider.assign_group(interface, str(lab.ready["isolated_group"]), actor=ACTOR)
    lab.reset()
    assert provider.interface(str(interface.resource_id)).group_id == interface.group_id
    assert [
        flow for flow in Connectivity(lab.client()).live_flows(provider.machine("web-1")) or () if flow.local_port == 22 and flow.is_live
    ] == []
    mark = lab.mark()
    lab.order(do="status")
    assert lab.wait_for("status", after=mark)["attack"] == "quiet"


def test_traffic_flows_while_nobody_attacks(lab: Laboratory) -> None:
    mark, deadline = lab.mark(), time.monotonic() + 5
    answered: set[str] = set()
    while answered != {"clients", "web-1", "web-2"} and time.monotonic() < deadline:
        lab.wait_for("traffic", after=mark)
        answered = {event["machine"] for event in lab.events[mark:] if event["event"] == "traffic" and event["answered"]} - {"jump-1"}
        time.sleep(0.05)
    assert answered == {"clients", "web-1", "web-2"}


def test_a_mail_to_the_labs_mailbox_is_told(lab: Laboratory) -> None:
    mark = lab.mark()
    with smtplib.SMTP("127.0.0.1", lab.ready["smtp_port"], timeout=5) as post:
        post.sendmail("guardship@lab.invalid", ["soc@lab.invalid"], "Subject: isolated\r\n\r\nweb-1 is cut off\r\n")
    told = lab.wait_for("mail", after=mark)
    assert (told["subject"], told["text"]) == ("isolated", "web-1 is cut off\n")


def test_a_lab_without_ipv6_plays_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Laboratory(tmp_path_factory.mktemp("v4"), ipv6=False) as lab:
        assert lab.ready["probe_targets"]["tcp6"] is None
        assert all(len(machine["addresses"]) == 1 for machine in lab.ready["machines"])
        lab.attack()


def test_a_door_that_refuses_keeps_its_port_and_opens_again() -> None:
    async def answer(_: object) -> Reply:
        return Reply(200)

    async def play() -> list[bool]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", port))
        door = HttpDoor(listening, None, answer)
        door.open()
        found = [await _connects(port)]
        refusing = asyncio.create_task(door.refuse_for(0.2))
        await asyncio.sleep(0.1)
        found.append(await _connects(port))
        await refusing
        found.append(await _connects(port))
        await door.close()
        listening.close()
        return found

    async def _connects(port: int) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    assert asyncio.run(play()) == [True, False, True]

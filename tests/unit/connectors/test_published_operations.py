import re

import pytest

from guardship.connectors.published_operations import BadPublishedFile, PublishedOperation, read_published, shipped
from guardship.playbooks.connector import Recovery

OPERATIONS = [(connector.name, operation) for connector in shipped().values() for operation in connector.operations]


def operation(connector: str, name: str) -> PublishedOperation:
    found = shipped()[connector].operation(name)
    assert found is not None
    return found


@pytest.mark.parametrize(("connector", "one"), OPERATIONS, ids=[f"{connector}-{one.name}" for connector, one in OPERATIONS])
def test_every_operation_is_the_one_its_own_path_finds(connector: str, one: PublishedOperation) -> None:
    """In the order of the list the first that fits counts: no wider path may stand before a narrower one."""
    shape = re.sub(r"\{\w+\}", "{}", one.path)
    fitting = [other.name for other in shipped()[connector].operations if other.method == one.method and other.pattern.fullmatch(shape)]
    assert fitting[0] == one.name


@pytest.mark.parametrize(("connector", "one"), OPERATIONS, ids=[f"{connector}-{one.name}" for connector, one in OPERATIONS])
def test_what_writes_without_a_safe_method_is_never_repeated_in_silence(connector: str, one: PublishedOperation) -> None:
    assert one.summary
    if one.method == "GET":
        assert one.recovery is Recovery.RETRY
        assert not one.has_effect


def test_operations_that_wait_are_subscriptions() -> None:
    assert {one.name for _, one in OPERATIONS if one.waits} == {"ask_approval", "ask_options", "ask_channel_card", "ask_card"}
    assert all(one.path.endswith("$subscriptions") for _, one in OPERATIONS if one.waits)


def test_a_crash_in_a_mail_asks_a_person_and_one_in_a_look_up_does_not() -> None:
    assert operation("office365", "send").recovery is Recovery.ASK
    assert operation("slack", "post_message").recovery is Recovery.ASK
    assert operation("azuresentinel", "get_ips").recovery is Recovery.RETRY
    assert operation("azuresentinel", "add_comment").recovery is Recovery.PROBE


def test_every_trigger_names_the_payload_that_starts_it() -> None:
    offers = {(connector.name, offer.path): offer.payload for connector in shipped().values() for offer in connector.triggers}
    assert offers[("azuresentinel", "/incident-creation")] == "sentinel_incident"
    assert offers[("azuresentinel", "/subscribe")] == "sentinel_alert"
    assert offers[("azuresentinel", "/entity/Account")] == "sentinel_entity_account"
    assert offers[("ascassessment", "/Microsoft.Security/Assessment/subscribe")] == "recommendation"
    assert offers[("ascalert", "/Microsoft.Security/Alert/subscribe")] == "security_center_alert"


def test_a_wrong_field_is_named_with_its_file_and_connector() -> None:
    with pytest.raises(BadPublishedFile, match=r"x\.toml: desk: an operation has no field recover"):
        read_published("x.toml", '[[desk.operations]]\nname = "a"\ncall = "GET /a"\nrecover = "ask"\n')


def test_a_wrong_recovery_is_named_with_its_operation() -> None:
    with pytest.raises(BadPublishedFile, match="look"):
        read_published("x.toml", '[[desk.operations]]\nname = "look"\ncall = "GET /a"\nrecovery = "maybe"\n')


def test_two_operations_of_one_name_are_refused() -> None:
    text = '[[desk.operations]]\nname = "look"\ncall = "GET /a"\n' * 2
    with pytest.raises(BadPublishedFile, match="two operations called look"):
        read_published("x.toml", text)


def test_a_service_path_with_a_value_nobody_gives_is_refused() -> None:
    with pytest.raises(BadPublishedFile, match="rest names thing"):
        read_published("x.toml", '[[desk.operations]]\nname = "look"\ncall = "GET /a/{other}"\nrest = "/b/{thing}"\n')

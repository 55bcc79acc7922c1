from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardship.cloud.azure.network import (
    DEFAULT_RULES,
    METADATA_ADDRESS,
    Access,
    BadRule,
    Direction,
    Packet,
    SecurityRule,
    Space,
    judge,
    judge_by_group,
    matches,
    rule_of,
    rules_of,
)

SPACE = Space(("10.1.0.0/16", "fd00:10:1::/48"), {"/asg/web": ("10.1.1.10",)})


def body(name: str, priority: int, direction: str = "Inbound", access: str = "Allow", **given: Any) -> dict[str, Any]:
    properties = {"priority": priority, "direction": direction, "access": access, "protocol": "*"}
    any_address = {"sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "*"}
    return {"name": name, "properties": {**properties, **any_address, **given}}


def group(*rules: dict[str, Any]) -> tuple[SecurityRule, ...]:
    return rules_of({"properties": {"securityRules": list(rules)}})


def inbound(source: str = "198.51.100.7", destination: str = "10.1.1.10", port: int = 22, protocol: str = "Tcp") -> Packet:
    return Packet(Direction.INBOUND, protocol, source, destination, 50000, port)


def outbound(destination: str, port: int = 443, protocol: str = "Tcp") -> Packet:
    return Packet(Direction.OUTBOUND, protocol, "10.1.1.10", destination, 50000, port)


def test_no_group_allows() -> None:
    verdict = judge(None, None, inbound(), SPACE)
    assert (verdict.is_allowed, verdict.rule) == (True, None)


@pytest.mark.parametrize(
    ("packet", "name", "access"),
    [
        (inbound(), "DenyAllInBound", Access.DENY),
        (inbound(source="10.1.2.4"), "AllowVnetInBound", Access.ALLOW),
        (inbound(source="fd00:10:1:2::4", destination="fd00:10:1:1::10"), "AllowVnetInBound", Access.ALLOW),
        (inbound(source="168.63.129.16"), "AllowAzureLoadBalancerInBound", Access.ALLOW),
        (outbound("10.1.2.4"), "AllowVnetOutBound", Access.ALLOW),
        (outbound("198.51.100.7"), "AllowInternetOutBound", Access.ALLOW),
        (outbound("2001:db8::1"), "AllowInternetOutBound", Access.ALLOW),
    ],
)
def test_the_default_rules_decide_where_none_is_stated(packet: Packet, name: str, access: Access) -> None:
    verdict = judge(None, group(), packet, SPACE)
    assert verdict.rule
    assert (verdict.rule.name, verdict.access) == (name, access)


def test_the_first_match_by_priority_decides() -> None:
    rules = group(body("deny", 110, access="Deny"), body("allow", 100, protocol="Tcp"))
    assert judge(None, rules, inbound(), SPACE).is_allowed
    assert not judge(None, rules, inbound(protocol="Udp"), SPACE).is_allowed


@pytest.mark.parametrize(("subnet", "interface"), [("Deny", "Allow"), ("Allow", "Deny")])
@pytest.mark.parametrize("direction", ["Inbound", "Outbound"])
def test_both_groups_must_allow(subnet: str, interface: str, direction: str) -> None:
    packet = inbound() if direction == "Inbound" else outbound("198.51.100.7")
    at_subnet, at_interface = group(body("s", 100, direction, subnet)), group(body("i", 100, direction, interface))
    verdict = judge(at_subnet, at_interface, packet, SPACE)
    assert not verdict.is_allowed
    assert verdict.rule
    assert verdict.rule.name == ("s" if subnet == "Deny" else "i")


def test_the_metadata_service_is_cut_by_its_tag_alone() -> None:
    packet = outbound(METADATA_ADDRESS, 80)
    assert judge(None, group(body("all", 100, "Outbound", "Deny")), packet, SPACE).is_allowed
    assert judge(None, group(body("address", 100, "Outbound", "Deny", destinationAddressPrefix=METADATA_ADDRESS)), packet, SPACE).is_allowed
    assert not judge(
        None, group(body("tag", 100, "Outbound", "Deny", destinationAddressPrefix="AzurePlatformIMDS")), packet, SPACE
    ).is_allowed


@pytest.mark.parametrize(
    ("given", "port", "is_match"),
    [
        ({"destinationPortRange": "22"}, 22, True),
        ({"destinationPortRange": "20-25"}, 25, True),
        ({"destinationPortRange": "20-25"}, 26, False),
        ({"destinationPortRange": None, "destinationPortRanges": ["80", "443"]}, 443, True),
        ({"destinationPortRange": None, "destinationPortRanges": ["80", "443"]}, 22, False),
        ({"protocol": "TCP"}, 22, True),
        ({"protocol": "udp"}, 22, False),
        ({"sourceAddressPrefix": None, "sourceAddressPrefixes": ["192.0.2.0/24", "198.51.100.0/24"]}, 22, True),
        ({"sourceAddressPrefix": "Internet"}, 22, True),
        ({"sourceAddressPrefix": "VirtualNetwork"}, 22, False),
        ({"destinationAddressPrefix": None, "destinationApplicationSecurityGroups": [{"id": "/ASG/web"}]}, 22, True),
        ({"destinationAddressPrefix": None, "destinationApplicationSecurityGroups": [{"id": "/asg/empty"}]}, 22, False),
    ],
)
def test_a_rule_matches_what_it_says(given: dict[str, Any], port: int, is_match: bool) -> None:
    assert matches(rule_of(body("r", 100, **given)), inbound(port=port), SPACE) is is_match


def test_a_port_with_any_protocol_means_tcp_and_udp() -> None:
    rule = rule_of(body("r", 100, destinationPortRange="22"))
    assert matches(rule, inbound(), SPACE)
    assert matches(rule, inbound(protocol="Udp"), SPACE)
    assert not matches(rule, inbound(protocol="Icmp"), SPACE)


def test_a_tag_of_unknown_addresses_never_matches_and_is_told() -> None:
    verdict = judge(
        None,
        group(body("storage", 100, "Outbound", "Deny", destinationAddressPrefix="Storage.WestEurope")),
        outbound("198.51.100.7"),
        SPACE,
    )
    assert verdict.is_allowed
    assert verdict.uncertain == ("storage",)


@pytest.mark.parametrize(
    "broken",
    [{"priority": "x"}, {"direction": "Sideways"}, {"access": "Maybe"}, {"destinationPortRange": "9-1"}, {"destinationPortRange": "70000"}],
)
def test_a_rule_that_cannot_be_read_is_refused_by_name(broken: dict[str, Any]) -> None:
    with pytest.raises(BadRule, match="odd"):
        rule_of({"name": "odd", "properties": {**body("odd", 100)["properties"], **broken}})


addresses = st.sampled_from(["10.1.1.10", "10.1.2.4", "198.51.100.7", "203.0.113.66"])
words = st.sampled_from(["*", "VirtualNetwork", "Internet", "10.1.0.0/24", "10.1.1.10", "203.0.113.0/24"])
rule_bodies = st.builds(
    lambda direction, access, protocol, source, destination, port: (direction, access, protocol, source, destination, port),
    st.sampled_from(["Inbound", "Outbound"]),
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["Tcp", "Udp", "*"]),
    words,
    words,
    st.sampled_from(["*", "22", "1-1000"]),
)


@given(
    rows=st.lists(rule_bodies, max_size=6),
    source=addresses,
    destination=addresses,
    direction=st.sampled_from(list(Direction)),
    port=st.integers(1, 65535),
)
def test_every_packet_has_exactly_one_verdict_and_its_rule_matches(
    rows: list[tuple[str, ...]], source: str, destination: str, direction: Direction, port: int
) -> None:
    bodies = []
    for number, (side, access, protocol, from_word, to_word, ports) in enumerate(rows):
        given_words = {"sourceAddressPrefix": from_word, "destinationAddressPrefix": to_word, "destinationPortRange": ports}
        bodies.append(body(f"r{number}", 100 + number, side, access, protocol=protocol, **given_words))
    rules = group(*bodies)
    packet = Packet(direction, "Tcp", source, destination, 50000, port)
    verdict = judge_by_group(rules, packet, SPACE)
    assert verdict.rule is not None
    assert matches(verdict.rule, packet, SPACE)
    earlier = [rule for rule in rules if rule.direction is direction and rule.priority < verdict.rule.priority]
    assert not any(matches(rule, packet, SPACE) for rule in earlier)
    assert verdict.access is verdict.rule.access


def test_there_are_six_default_rules() -> None:
    assert len(DEFAULT_RULES) == 6
    assert all(rule.is_default for rule in DEFAULT_RULES)

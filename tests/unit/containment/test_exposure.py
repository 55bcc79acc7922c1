"""What closed means, asked of the rules alone."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardship.cloud.azure.network import Space, judge, rules_of
from guardship.containment.exposure import InterfaceView, denies_metadata, is_closed, open_way, told_way

OWN = ("10.1.1.10", "fd00:1::a")
SPACE = Space(prefixes=("10.1.0.0/16", "fd00:1::/48"))


def rule(name: str, priority: int, direction: str, access: str, **given: Any) -> dict[str, Any]:
    everything = {
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    }
    return {"name": name, "properties": {"priority": priority, "direction": direction, "access": access, **everything, **given}}


def group(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"id": "/group", "properties": {"securityRules": list(rules)}}


DENY = (rule("in", 200, "Inbound", "Deny"), rule("out", 200, "Outbound", "Deny"))


def view(interface: dict[str, Any] | None, subnet: dict[str, Any] | None = None) -> InterfaceView:
    return InterfaceView(
        "/nic", "/vm", OWN, "", "", rules_of(interface) if interface else None, rules_of(subnet) if subnet else None, SPACE
    )


def test_no_group_is_open() -> None:
    assert not is_closed(view(None))


def test_a_group_of_defaults_is_open() -> None:
    assert not is_closed(view(group()))


def test_deny_both_ways_is_closed() -> None:
    assert is_closed(view(group(*DENY)))


@pytest.mark.parametrize("direction", ["in", "out"])
def test_deny_one_way_is_open(direction: str) -> None:
    assert not is_closed(view(group(*(each for each in DENY if each["name"] == direction))))


def test_a_closed_subnet_closes_an_open_interface() -> None:
    assert is_closed(view(None, group(*DENY)))


@pytest.mark.parametrize(
    "hole",
    [
        {"destinationPortRange": "4444"},
        {"destinationPortRange": "1000-2000"},
        {"destinationAddressPrefix": "Internet"},
        {"destinationAddressPrefix": "VirtualNetwork"},
        {"protocol": "Udp", "destinationPortRange": "53"},
        {"protocol": "Icmp"},
        {"destinationAddressPrefix": "10.1.0.0/16"},
        {"destinationAddressPrefix": "0.0.0.0/0", "protocol": "Tcp"},
    ],
    ids=str,
)
def test_a_way_out_above_the_deny_is_found_and_named(hole: dict[str, Any]) -> None:
    found = open_way(view(group(rule("hole", 100, "Outbound", "Allow", **hole), *DENY)))
    assert found is not None
    assert found.direction == "Outbound"


@pytest.mark.parametrize(
    ("direction", "hole"),
    [
        ("Outbound", {"destinationAddressPrefix": "52.0.0.0/8"}),
        ("Outbound", {"destinationAddressPrefix": "AzureCloud"}),
        ("Inbound", {"sourceAddressPrefix": "203.0.0.0/8", "protocol": "Tcp"}),
        ("Inbound", {"sourceAddressPrefix": "2001:db8:1::/64"}),
        ("Inbound", {"sourcePortRange": "53"}),
        ("Outbound", {"sourcePortRange": "1000-2000", "destinationPortRange": "4444"}),
        ("Inbound", {"sourceApplicationSecurityGroups": [{"id": "/subscriptions/s/asg"}], "sourceAddressPrefix": ""}),
        ("Inbound", {"sourceAddressPrefixes": ["10.9.0.0/25", "10.9.0.128/25"], "sourceAddressPrefix": ""}),
        ("Inbound", {"protocol": "Esp"}),
    ],
    ids=str,
)
def test_a_way_beside_the_common_witnesses_is_found_and_its_rule_named(direction: str, hole: dict[str, Any]) -> None:
    found = view(group(rule("hole", 100, direction, "Allow", **hole), *DENY))
    assert not is_closed(found)
    assert str(told_way(found)).endswith("allowed by hole")


def test_what_stands_between_two_denied_networks_is_found() -> None:
    around = ("0.0.0.0/1", "128.0.0.0/2", "193.0.0.0/8", "194.0.0.0/7", "196.0.0.0/6", "200.0.0.0/5", "208.0.0.0/4", "224.0.0.0/3")

    def denying(*prefixes: str) -> dict[str, Any]:
        to = {"destinationAddressPrefixes": [*prefixes, "::/1", "8000::/1"], "destinationAddressPrefix": ""}
        return group(rule("deny", 100, "Outbound", "Deny", **to), rule("allow", 300, "Outbound", "Allow"), DENY[0])

    assert is_closed(view(denying(*around, "192.0.0.0/8")))
    found = open_way(view(denying(*around)))
    assert found is not None
    assert found.destination.startswith("192.")


def test_a_tag_nobody_knows_closes_nothing_and_opens_no_group_that_denies_before_it() -> None:
    assert not is_closed(view(group(rule("tag", 100, "Outbound", "Deny", destinationAddressPrefix="AzureCloud"), DENY[0])))
    after_the_denies = rule("late", 300, "Outbound", "Allow", destinationAddressPrefix="AzureCloud")
    assert is_closed(view(group(*DENY, after_the_denies)))
    on_the_subnet = group(rule("tag", 100, "Outbound", "Allow", destinationAddressPrefix="AzureCloud"))
    assert is_closed(view(group(*DENY), on_the_subnet))


def test_health_probes_of_the_platform_do_not_open_a_group() -> None:
    by_tags = [
        rule(f"deny-{tag}", 100 + number, "Inbound", "Deny", sourceAddressPrefix=tag)
        for number, tag in enumerate(("Internet", "VirtualNetwork"))
    ]
    assert is_closed(view(group(*by_tags, DENY[1])))


def test_a_deny_under_an_allow_has_no_effect() -> None:
    """The name of a group proves nothing: its rules do."""
    assert not is_closed(view(group(rule("allow", 100, "Inbound", "Allow"), rule("allow-out", 100, "Outbound", "Allow"), *DENY)))


def test_a_narrow_way_for_forensics_keeps_it_closed() -> None:
    narrow = rule("forensics", 100, "Inbound", "Allow", sourceAddressPrefix="10.1.9.7/32", destinationPortRange="22")
    bastion = rule("bastion", 110, "Inbound", "Allow", sourceAddressPrefix="100.64.0.0/25")
    assert is_closed(view(group(narrow, bastion, *DENY)))


def test_the_metadata_service_needs_its_own_tag() -> None:
    assert not denies_metadata(view(group(*DENY)))
    assert denies_metadata(view(group(rule("imds", 100, "Outbound", "Deny", destinationAddressPrefix="AzurePlatformIMDS"), *DENY)))


accesses = st.sampled_from(["Allow", "Deny"])
directions = st.sampled_from(["Inbound", "Outbound"])
peers = st.sampled_from(["*", "Internet", "VirtualNetwork", "10.1.0.0/16", "10.1.9.7/32", "203.0.113.0/24"])
ports = st.sampled_from(["*", "22", "80-90", "443", "1000-60000"])
protocols = st.sampled_from(["*", "Tcp", "Udp", "Icmp"])


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 5))
    priorities = draw(st.lists(st.integers(100, 4096), min_size=count, max_size=count, unique=True))
    return group(
        *(
            rule(
                f"r{number}",
                priority,
                draw(directions),
                draw(accesses),
                protocol=draw(protocols),
                sourceAddressPrefix=draw(peers),
                destinationAddressPrefix=draw(peers),
                destinationPortRange=draw(ports),
            )
            for number, priority in enumerate(priorities)
        )
    )


@given(interface=groups(), subnet=st.none() | groups())
@settings(max_examples=150, deadline=None)
def test_the_way_that_is_named_is_really_open(interface: dict[str, Any], subnet: dict[str, Any] | None) -> None:
    seen = view(interface, subnet)
    found = open_way(seen)
    if found is None:
        assert is_closed(seen)
    else:
        assert judge(seen.subnet_rules, seen.interface_rules, found, SPACE).is_allowed


@given(interface=groups())
@settings(max_examples=80, deadline=None)
def test_a_deny_all_in_front_closes_everything(interface: dict[str, Any]) -> None:
    front = [rule("a", 50, "Inbound", "Deny"), rule("b", 50, "Outbound", "Deny")]
    assert is_closed(view(group(*front, *interface["properties"]["securityRules"])))

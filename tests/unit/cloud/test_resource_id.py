import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardship.cloud.resource_id import BadResourceId, ResourceId, same_id

NIC = "/subscriptions/s1/resourceGroups/Bootcamp/providers/Microsoft.Network/networkInterfaces/web-1-nic"
names = st.text("abcXYZ019-_.", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."})


def test_an_id_tells_its_parts() -> None:
    found = ResourceId.parse(NIC)
    assert (found.subscription, found.group, found.provider, found.name) == ("s1", "Bootcamp", "Microsoft.Network", "web-1-nic")
    assert found.type == "Microsoft.Network/networkInterfaces"
    assert found.parent is None


def test_a_child_knows_its_parent() -> None:
    network = ResourceId.parse("/subscriptions/s1/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v")
    subnet = network.child("subnets", "data")
    assert subnet.type == "Microsoft.Network/virtualNetworks/subnets"
    assert subnet.parent == network


@given(group=names, name=names)
def test_case_and_doubled_slashes_do_not_matter(group: str, name: str) -> None:
    plain = f"/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{name}"
    strange = "/" + plain.replace("resourceGroups", "resourcegroups").replace("/providers", "//providers").upper() + "/"
    assert ResourceId.parse(plain) == ResourceId.parse(strange)
    assert hash(ResourceId.parse(plain)) == hash(ResourceId.parse(strange))
    assert str(ResourceId.parse(plain)) == plain


def test_an_extension_resource_is_of_its_own_type() -> None:
    assert ResourceId.parse(f"{NIC}/providers/Guardship.Lab/flows/f1").type == "Guardship.Lab/flows"


@pytest.mark.parametrize("text", ["", "/", "///", "/subscriptions/s/../t"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadResourceId):
        ResourceId.parse(text)


def test_absent_ids_are_the_same() -> None:
    assert same_id(None, "")
    assert same_id(NIC, NIC.upper() + "/")
    assert not same_id(NIC, None)

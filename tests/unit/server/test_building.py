"""What the settings say is what the connectors are built with."""

import pytest
from pydantic import SecretStr, ValidationError

from guardship.server.building import mail_server, outbound_rules
from guardship.settings import MailSecurity, Settings


def test_the_mail_server_signs_in_as_the_settings_say() -> None:
    settings = Settings(smtp_host="mail.example.org", smtp_user="soc", smtp_password=SecretStr("pw"), smtp_security=MailSecurity.STARTTLS)
    server = mail_server(settings)
    assert (server.host, server.username, server.password, server.security) == ("mail.example.org", "soc", "pw", "starttls")
    assert "pw" not in repr(server)
    assert mail_server(Settings(lab_mail_port=25999)).port == 25999


def test_a_mail_password_does_not_travel_in_plain() -> None:
    with pytest.raises(ValidationError, match="starttls or tls"):
        Settings(smtp_host="mail.example.org", smtp_user="soc")


def test_a_star_takes_all_below_and_a_plain_name_itself_alone() -> None:
    rules = outbound_rules(Settings(outbound_hosts=("*.example.org", "example.net")))
    assert [rules.refuse_host(host) is None for host in ("a.example.org", "a.example.net", "example.net")] == [True, False, True]

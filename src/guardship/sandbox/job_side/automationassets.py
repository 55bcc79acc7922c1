"""Assets of the automation account, by the names that Azure's Python runbooks import.

from automationassets import get_automation_connection
connection = get_automation_connection("AzureRunAsConnection")
"""

import base64
from typing import Any
from urllib.parse import quote

import guardship_job


class AutomationAssetNotFound(LookupError):
    """There is no asset of that kind and name."""


def get_automation_variable(name: str) -> Any:
    return _asset("variables", name)["value"]


def set_automation_variable(name: str, value: Any) -> None:
    guardship_job._ask("PUT", f"/assets/variables/{quote(name, safe='')}", {"value": value})  # one module in two files


def get_automation_credential(name: str) -> dict[str, str]:
    """`{"username": …, "password": …}`"""
    credential: dict[str, str] = _asset("credentials", name)
    return credential


def get_automation_connection(name: str) -> dict[str, str]:
    """The fields of the connection: TenantId, ApplicationId, SubscriptionId, CertificateThumbprint."""
    connection: dict[str, str] = _asset("connections", name)
    return connection


def get_automation_certificate(name: str) -> bytes:
    """The certificate as PKCS#12."""
    return base64.b64decode(_asset("certificates", name)["content"])


def _asset(kind: str, name: str) -> Any:
    try:
        return guardship_job._ask("GET", f"/assets/{kind}/{quote(name, safe='')}")  # one module in two files
    except guardship_job.JobApiError as error:
        if error.status == 404:
            raise AutomationAssetNotFound(str(error)) from None
        raise

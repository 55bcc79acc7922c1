"""Rows of the machines' system log, in the columns of the published Syslog table.

Failed password for invalid user admin from 203.0.113.66 port 51544 ssh2
"""

from datetime import UTC, datetime

from guardship.clock import iso
from guardship.lab.channel import Message


def sshd_row(computer: str, address: str, message: str, *, number: int) -> Message:
    now = iso(datetime.now(UTC))
    return {
        "TimeGenerated": now,
        "EventTime": now,
        "Computer": computer,
        "HostName": computer,
        "HostIP": address,
        "Facility": "authpriv",
        "SeverityLevel": "info",
        "ProcessName": "sshd",
        "ProcessID": number,
        "SyslogMessage": message,
        "SourceSystem": "Linux",
    }

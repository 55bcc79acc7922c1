"""What a run says to the run that started it: the answer of its Response action, or that it ended without one.

It is a message row in the same commit as the Response or the end, so that neither can be there without the other.
"""

from typing import Any

from guardship.playbooks.events import Respond
from guardship.playbooks.journal import message_row
from guardship.playbooks.run import Run
from guardship.playbooks.state import RunState

NO_RESPONSE = 502


def answer_of(run: Run, parent: dict[str, Any], state: RunState, response: Respond | None, at: int) -> list[tuple[Any, ...]]:
    """`parent` names the run and the key of its action. Nothing while this run has said nothing; what comes first counts."""
    if response is not None:
        body = {"statusCode": response.status_code, "headers": response.headers, "body": response.body}
    elif state.has_ended:
        message = f"The playbook {run.playbook_name} ended {state.status} without a Response."
        body = {"statusCode": NO_RESPONSE, "headers": {}, "body": {"error": {"code": "NoResponse", "message": message}}}
    else:
        return []
    return [message_row(parent["run_id"], parent["key"], "callback", body, run.run_id, f"run {run.number}", at)]

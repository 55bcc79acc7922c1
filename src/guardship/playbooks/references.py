"""What the expressions of a definition name: whether it is there, and what hidden values spread to.

`secureData` spreads: who reads hidden outputs, or a parameter of a secure type, has hidden inputs, and Compose, ParseJson and Response
hide both.
"""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from guardship.playbooks.actions.kinds import PASSES_ON
from guardship.playbooks.actions.reading import Reading, Reference
from guardship.playbooks.definition import Action, Block, Workflow


def check_references(workflow: Workflow, reading: Reading) -> None:
    variables = {name.casefold(): name for name in workflow.variables}
    for reference in reading.references:
        folded = reference.name.casefold()
        match reference.kind:
            case "action" | "loop" if folded in reading.refused:
                continue  # reported where it stands
            case "action" if folded not in workflow.actions:
                _refuse(reference, "action", (action.name for action in workflow.actions.values()), reading)
            case "loop" if folded not in workflow.actions or workflow.actions[folded].kind not in ("Foreach", "Until"):
                _refuse(
                    reference, "loop", (action.name for action in workflow.actions.values() if action.kind in ("Foreach", "Until")), reading
                )
            case "loop":
                _check_inside(reference, workflow, reading)
            case "variable" if folded not in variables:
                _refuse(reference, "variable", variables.values(), reading)
            case "parameter" if folded not in workflow.parameters and folded != "$connections":
                _refuse(reference, "parameter", workflow.parameters, reading)


def _refuse(reference: Reference, what: str, known: Iterable[str], reading: Reading) -> None:
    close = get_close_matches(reference.name, list(known), n=1, cutoff=0.6)
    message = f"there is no {what} called {reference.name}"
    code = f"Unknown{what.capitalize()}"
    reading.problem(
        reference.path, message, code, hint=f"did you mean {close[0]}?" if close else None, start=reference.start, end=reference.end
    )


def _check_inside(reference: Reference, workflow: Workflow, reading: Reading) -> None:
    """`items('Loop')` outside of that loop means nothing."""
    asking = workflow.action(reference.action) if reference.action else None
    if asking is None:
        return
    around = {name.casefold() for name in asking.loops} | {asking.name.casefold()}
    if reference.name.casefold() not in around:
        message = f"{asking.name} does not stand inside the loop {reference.name}"
        reading.problem(reference.path, message, "OutsideLoop", start=reference.start, end=reference.end)


def hidden_actions(workflow: Workflow, reading: Reading) -> Workflow:
    """The workflow with `hides_inputs` and `hides_outputs` spread to all who read what is hidden."""
    hidden_outputs = {action.name.casefold() for action in workflow.actions.values() if action.hides_outputs}
    hides_trigger = any(trigger.hides_outputs for trigger in workflow.triggers)
    hidden_inputs = {action.name.casefold() for action in workflow.actions.values() if action.hides_inputs}
    if not hidden_outputs and not hidden_inputs and not hides_trigger and not workflow.secure_parameters:
        return workflow
    changed = True
    while changed:
        changed = False
        for reference in reading.references:
            reader = (reference.action or "").casefold()
            match reference.kind:
                case "action":
                    reads_hidden = reference.name.casefold() in hidden_outputs
                case "parameter":
                    reads_hidden = reference.name.casefold() in workflow.secure_parameters
                case kind:
                    reads_hidden = hides_trigger and kind == "trigger"
            if reader and reads_hidden and reader not in hidden_inputs:
                hidden_inputs.add(reader)
                changed = True
        for folded in hidden_inputs - hidden_outputs:
            if folded in workflow.actions and workflow.actions[folded].kind in PASSES_ON:
                hidden_outputs.add(folded)
                changed = True
    return _rebuilt(workflow, hidden_inputs, hidden_outputs)


def _rebuilt(workflow: Workflow, hidden_inputs: set[str], hidden_outputs: set[str]) -> Workflow:
    actions: dict[str, Action] = {}
    blocks: dict[str, Block] = {}

    def block_of(block: Block) -> Block:
        made = tuple(action_of(action) for action in block.actions)
        by_name = {action.name: action for action in made}
        after = {name: tuple(by_name[action.name] for action in found) for name, found in block.successors.items()}
        rebuilt = replace(block, actions=made, successors=after, leaves=tuple(by_name[action.name] for action in block.leaves))
        blocks.update(dict.fromkeys(by_name, rebuilt))
        return rebuilt

    def action_of(action: Action) -> Action:
        folded = action.name.casefold()
        made = replace(
            action,
            hides_inputs=folded in hidden_inputs,
            hides_outputs=folded in hidden_outputs,
            blocks=tuple(block_of(block) for block in action.blocks),
        )
        actions[folded] = made
        return made

    root = block_of(workflow.root)
    return replace(workflow, root=root, actions=actions, blocks=blocks, is_secretive=True)

// The tree of a run's actions, and how to walk it.
import type { Schemas } from "../../api/client";

export type Action = Schemas["ActionOut"];
export type Branch = Schemas["BranchOut"];

/** Stands for the trigger where an action's key is asked for; no action can be called so. */
export const TRIGGER = "@trigger";

export const CONTAINERS = new Set(["If", "Switch", "Foreach", "Until", "Scope"]);

export function flat(actions: Action[]): Action[] {
  return actions.flatMap((action) => [action, ...(action.branches ?? []).flatMap((branch) => flat(branch.actions))]);
}

/** Names with their underscores as spaces, as the designer shows them. */
export function titleOf(action: Action): string {
  return action.name.replaceAll("_", " ");
}

// What the lines and rings mean: those that occur, and no other.
import { useSay } from "../../../ui/words";
import { type Approval, type Graph, factsOf, stateOf } from "./facts";

export function Legend({ graph, approvals, isPathShown }: { graph: Graph; approvals: Approval[]; isPathShown: boolean }) {
  const say = useSay();
  const facts = factsOf(graph);
  const shown = [
    ["path", isPathShown && facts.some((edge) => edge.is_movement)],
    ["out", isPathShown && facts.some((edge) => edge.kind === "sent_data_to")],
    ["names", facts.some((edge) => edge.kind === "names")],
    ["isolated", graph.nodes.some((node) => stateOf(node, approvals) === "isolated")],
  ] as const;
  return (
    <ul className="investigation-legend" aria-label={say("graph.legend")}>
      {shown.filter(([, occurs]) => occurs).map(([name]) => <li key={name}><i className={name} aria-hidden="true" />{say(`graph.legend.${name}`)}</li>)}
    </ul>
  );
}

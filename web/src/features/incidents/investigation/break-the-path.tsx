// Which machine of the path is still open, and the one act that closes it.
import { PlugDisconnected16Regular } from "@fluentui/react-icons";
import { Link } from "@tanstack/react-router";
import { useMay } from "../../../api/session";
import { Verdict } from "../../../ui/verdict";
import { useSay } from "../../../ui/words";
import { type Approval, type Edge, type Graph, type Node, approvalOf, isInForce, stateOf, timeOf } from "./facts";
import { Waiting } from "./waiting";

export function BreakThePath({ graph, way, approvals, incident }: { graph: Graph; way: Edge[]; approvals: Approval[]; incident: string }) {
  const say = useSay();
  const nodes = new Map(graph.nodes.map((node) => [node.node_id, node]));
  const reached = way.map((edge) => ({ edge, node: nodes.get(edge.target_id) as Node }));
  const open = reached.filter(({ node }) => !isInForce(node));
  const unproved = reached.filter(({ node }) => ["needs", "unproved"].includes(stateOf(node, approvals)));
  return (
    <section aria-labelledby="break">
      <h3 id="break">{say("graph.break")}</h3>
      {open.map(({ edge, node }) => <Open key={node.node_id} edge={edge} node={node} approval={approvalOf(node, approvals)} incident={incident} />)}
      {unproved.map(({ node }) => (
        <p key={node.node_id} className="note">{say(stateOf(node, approvals) === "needs" ? "graph.stillOpen" : "graph.notProvedYet", { machine: node.label })} <Link to={`/containment/${node.isolation?.isolation_id}` as never} className="in-text">{say("overview.openContainment")}</Link></p>
      ))}
      {open.length + unproved.length === 0 && <p><Verdict word="proved" text={say("graph.broken")} /></p>}
    </section>
  );
}

function Open({ edge, node, approval, incident }: { edge: Edge; node: Node; approval: Approval | undefined; incident: string }) {
  const say = useSay();
  const mayIsolate = useMay("responder");
  const { account } = edge.details as { account?: string };
  const at = edge.at ? timeOf(edge.at) : "";
  return (
    <div className="investigation-open">
      <p className="note">{say(account ? "graph.wasOn" : "graph.wasReached", { account: account ?? "", machine: node.label, time: at })}</p>
      {approval && <p><Waiting approval={approval} /></p>}
      {approval && <Link to={"/admin" as never} search={{ tab: "approvals" } as never} className="quiet-button"><PlugDisconnected16Regular />{say("graph.openApproval")}</Link>}
      {!approval && mayIsolate && <Link to={"/containment" as never} search={{ machine: String(node.details.AzureID ?? node.label), incident } as never} className="quiet-button"><PlugDisconnected16Regular />{say("graph.isolate", { machine: node.label })}</Link>}
    </div>
  );
}

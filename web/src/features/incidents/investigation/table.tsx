// The graph as a table: the same facts in the order of time, and our own isolations among them.
import { type Column, Grid } from "../../../ui/grid";
import { Severity } from "../../../ui/severity";
import { Verdict } from "../../../ui/verdict";
import { useSay } from "../../../ui/words";
import { type Approval, type Graph, type Node, type State, byTime, factsOf, idOf, sentenceOf, stateOf, timeOf } from "./facts";

interface Row {
  id: string;
  at: string | null;
  step: number | null;
  source: string;
  relation: string;
  target: Node;
  severity?: string;
  state?: State;
}

export function Table({ graph, approvals, chosen, choose, from }: { graph: Graph; approvals: Approval[]; chosen: string | undefined; choose: (id: string) => void; from: string }) {
  const say = useSay();
  const nodes = new Map(graph.nodes.map((node) => [node.node_id, node]));
  const said = factsOf(graph).map((edge) => ({
    id: idOf(edge), at: edge.at, step: edge.step, source: nodes.get(edge.source_id)?.label ?? "", relation: sentenceOf(edge, say), target: nodes.get(edge.target_id) as Node,
    severity: edge.kind === "names" ? String(nodes.get(edge.source_id)?.details.severity ?? "") : undefined,
  }));
  const acts = graph.nodes.filter((node) => node.isolation).map((node) => ({
    id: `isolation ${node.node_id}`, at: node.isolation?.opened_at ?? null, step: null, source: String(node.isolation?.opened_by.name ?? ""), relation: say("graph.isolatedIt"), target: node, state: stateOf(node, approvals),
  }));
  const rows: Row[] = [...said, ...acts].sort(byTime);
  const columns: Column<Row>[] = [
    { key: "step", title: say("graph.step"), width: 72, isNumber: true, cell: (row) => row.step },
    { key: "time", title: say("word.time"), width: 112, cell: (row) => <span className="mono note">{row.at && timeOf(row.at)}</span> },
    { key: "from", title: say("incidents.from"), cell: (row) => row.source },
    { key: "relation", title: say("incidents.relation"), cell: (row) => row.relation },
    { key: "to", title: say("incidents.to"), width: 160, cell: (row) => <span className={row.target.kind === "address" ? "mono" : ""}>{row.target.label}</span> },
    { key: "means", title: say("graph.means"), width: 168, keep: true, cell: (row) => <Means row={row} /> },
  ];
  const selected = rows.find((row) => row.step !== null && row.target.node_id === chosen) ?? rows.find((row) => row.target.node_id === chosen);
  return (
    <div className="investigation-table">
      <Grid label={say("incidents.graph")} columns={columns} rows={rows} idOf={(row) => row.id} selected={selected?.id ?? null} open={(row) => choose(row.target.node_id)} from={from} />
      <p className="card-body note">{say("graph.tableNote")}</p>
    </div>
  );
}

function Means({ row }: { row: Row }) {
  const say = useSay();
  if (row.step !== null) return <span className="tone-bad verdict">{say("graph.pathStep", { step: row.step })}</span>;
  if (row.severity) return <Severity value={row.severity} />;
  if (row.state === "isolated") return <Verdict word="proved" />;
  if (row.state === "needs" || row.state === "unproved") return <Verdict word="notProved" text={row.state === "needs" ? say("overview.sessionLives") : undefined} />;
  if (row.state === "released") return <Verdict word="released" />;
  return null;
}


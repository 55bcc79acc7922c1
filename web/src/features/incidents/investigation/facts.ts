// What the drawing and its table both show: the relations of an incident, in the order of time, and the state of each thing.
import type { Schemas } from "../../../api/client";
import { moment } from "../../../ui/time";
import type { Say } from "../../../ui/words";

export type Graph = Schemas["GraphOut"];
export type Node = Graph["nodes"][number];
export type Edge = Graph["edges"][number];
export type Approval = Schemas["ApprovalOut"];
export type State = "" | "needs" | "waits" | "isolated" | "unproved" | "released";

const IN_FORCE = ["applying", "isolated", "releasing", "drifted"];
const PLACES = ["machine", "address"];

/** Of today by its time alone, of another day with the day. */
export const timeOf = (at: string) => moment(at, new Date());
export const idOf = (edge: Edge) => `${edge.source_id}|${edge.kind}|${edge.target_id}`;
export const isInForce = (node: Node | undefined) => IN_FORCE.includes(node?.isolation?.state ?? "");
export const isPlace = (node: Node | undefined) => PLACES.includes(node?.kind ?? "");

/** Every relation but those the page shows otherwise: the incident itself, and an alert's link to what hangs on a machine anyway. */
export function factsOf(graph: Graph): Edge[] {
  const nodes = new Map(graph.nodes.map((node) => [node.node_id, node]));
  const said = graph.edges.filter((edge) => !["contains", "names"].includes(edge.kind));
  const tied = new Set(said.flatMap((edge) => [edge.source_id, edge.target_id]));
  const links = graph.edges.filter((edge) => edge.kind === "names" && (isPlace(nodes.get(edge.target_id)) || !tied.has(edge.target_id)));
  return [...said, ...links].sort(byTime);
}

export function approvalOf(node: Node, approvals: Approval[]): Approval | undefined {
  if (node.kind !== "machine") return undefined;
  const id = String(node.details.AzureID ?? "").toLowerCase();
  return approvals.find((each) => each.kind === "containment.isolate" && (id ? each.subject.toLowerCase() === id : each.detail.machine === node.label));
}

export function stateOf(node: Node, approvals: Approval[]): State {
  const { isolation } = node;
  if (!isolation || !isInForce(node)) return approvalOf(node, approvals) ? "waits" : isolation ? "released" : "";
  if (isolation.live_sessions_cut === "failed" || isolation.new_connections_blocked === "failed") return "needs";
  return isolation.live_sessions_cut === "verified" && isolation.new_connections_blocked === "verified" ? "isolated" : "unproved";
}

/** The second line under a thing. */
export function stateWord(node: Node, state: State, say: Say): string {
  if (state === "needs" && node.isolation?.new_connections_blocked === "failed") return say("graph.notBlocked");
  if (state) return say(`graph.state.${state}`);
  if (node.kind === "address" && node.first_at) return say("graph.firstSeen", { time: timeOf(node.first_at) });
  if (node.kind === "process" && node.details.ProcessId) return say("graph.pid", { pid: String(node.details.ProcessId) });
  return "";
}

/** What happened, in the fewest words: on an edge, and in the table with what else is known. */
export function wordOf(edge: Edge, say: Say): string {
  const { count, bytes, port } = edge.details as { count?: number; bytes?: number; port?: number };
  if (edge.kind === "guessed_at" && count !== undefined) return say("graph.failedCount", { count: count.toLocaleString("en") });
  if (edge.kind === "signed_in_to" && !edge.is_movement) return say("graph.signedIn");
  if (edge.kind !== "sent_data_to") return say(`graph.kind.${edge.kind}`);
  const what = bytes === undefined ? say("graph.kind.sent_data_to") : say("graph.bytesOut", { size: sizeOf(bytes) });
  return port === undefined ? what : say("graph.toPort", { what, port });
}

export function sentenceOf(edge: Edge, say: Say): string {
  const { account, count } = edge.details as { account?: string; count?: number };
  if (edge.kind === "signed_in_to" && account) return say("graph.signedInAs", { account });
  if (edge.kind === "guessed_at" && count !== undefined) return say("graph.failedTimes", { count: count.toLocaleString("en") });
  return wordOf(edge, say);
}

function sizeOf(bytes: number): string {
  const unit = Math.min(4, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** The steps that lead to a thing, the first first. */
export function pathInto(graph: Graph, nodeId: string): Edge[] {
  const into = graph.edges.filter((edge) => edge.target_id === nodeId && edge.step !== null).sort(byStep)[0];
  return into ? [...pathInto(graph, into.source_id), into] : [];
}

/** Where the path ends: what was reached last. */
export function endOfPath(graph: Graph): string | undefined {
  return graph.edges.filter((edge) => edge.step !== null).sort(byStep).at(-1)?.target_id;
}

/** What a reader wants to see first: the machine that needs somebody, else where the path ends. */
export function firstOfInterest(graph: Graph, approvals: Approval[]): Node | undefined {
  const shown = graph.nodes.filter((node) => node.kind !== "incident");
  const end = endOfPath(graph);
  return shown.find((node) => stateOf(node, approvals) === "needs") ?? shown.find((node) => node.node_id === end) ?? shown.find((node) => node.kind === "machine") ?? shown[0];
}

/** At one moment the path comes first. */
export function byTime(left: Pick<Edge, "at" | "step">, right: Pick<Edge, "at" | "step">): number {
  return (left.at ?? "~").localeCompare(right.at ?? "~") || byStep(left, right);
}

function byStep(left: Pick<Edge, "step">, right: Pick<Edge, "step">): number {
  return (left.step ?? Number.MAX_SAFE_INTEGER) - (right.step ?? Number.MAX_SAFE_INTEGER);
}

// Where each thing stands: left to right is time; the way of the attacker in the middle, alerts above, what hangs on machines below.
import { type Edge, type Graph, type Node, isPlace } from "./facts";

export interface Place { x: number; y: number }
const STEP = 264;
const ALERTS = -225;
const BELOW = 165;
const GAP = 150;
const ALERT_GAP = 200;

export function placesOf(graph: Graph, facts: Edge[]): Map<string, Place> {
  const way = wayOf(graph);
  const places = new Map<string, Place>(way.map((node, index) => [node.node_id, { x: index * STEP, y: 0 }]));
  const middle = ((way.length - 1) * STEP) / 2;
  const others = graph.nodes.filter((node) => node.kind !== "incident" && !places.has(node.node_id));
  const alerts = others.filter((node) => node.kind === "alert").sort((left, right) => (left.first_at ?? "").localeCompare(right.first_at ?? ""));
  const below = others.filter((node) => node.kind !== "alert");
  spread(places, alerts.map((node) => ({ node, x: between(places, facts, node) ?? middle })), ALERTS, ALERT_GAP);
  // What hangs on a thing below stands left of it: who ran what.
  const anchored = below.map((node) => ({ node, x: between(places, facts.filter((edge) => edge.kind !== "names"), node) }));
  const anchorOf = new Map(anchored.map(({ node, x }) => [node.node_id, x]));
  const inPlace = anchored.map(({ node, x }) => ({ node, x: x ?? besides(facts, node, anchorOf) ?? middle })).sort((left, right) => left.x - right.x);
  spread(places, inPlace, BELOW, GAP);
  return places;
}

/** Addresses and machines in the order in which they were reached; without a path, as alerts name them. */
function wayOf(graph: Graph): Node[] {
  const steps = graph.edges.filter((edge) => edge.step !== null);
  const reachedAt = (node: Node) => {
    const into = steps.find((edge) => edge.target_id === node.node_id);
    const from = steps.filter((edge) => edge.source_id === node.node_id).map((edge) => (edge.step ?? 0) - 0.5);
    return into?.step ?? Math.min(...from);
  };
  const onPath = graph.nodes.filter((node) => Number.isFinite(reachedAt(node))).sort((left, right) => reachedAt(left) - reachedAt(right));
  if (onPath.length > 0) return onPath;
  const order = (node: Node) => (node.kind === "address" ? 0 : 1);
  return graph.nodes.filter(isPlace).sort((left, right) => order(left) - order(right) || (left.first_at ?? "").localeCompare(right.first_at ?? ""));
}

function between(places: Map<string, Place>, facts: Edge[], node: Node): number | undefined {
  const found = othersOf(facts, node).flatMap((id) => places.get(id) ?? []).filter((place) => place.y === 0);
  return found.length > 0 ? found.reduce((sum, place) => sum + place.x, 0) / found.length : undefined;
}

function besides(facts: Edge[], node: Node, anchorOf: Map<string, number | undefined>): number | undefined {
  const found = othersOf(facts, node).flatMap((id) => anchorOf.get(id) ?? []);
  return found.length > 0 ? Math.min(...found) - GAP : undefined;
}

function othersOf(facts: Edge[], node: Node): string[] {
  return facts.filter((edge) => edge.source_id === node.node_id || edge.target_id === node.node_id).map((edge) => (edge.source_id === node.node_id ? edge.target_id : edge.source_id));
}

/** Each at the place it wants, moved apart as far as needed; the row as a whole stays where it wants to be. */
function spread(places: Map<string, Place>, wanted: { node: Node; x: number }[], y: number, gap: number) {
  let last = Number.NEGATIVE_INFINITY;
  const moved = wanted.map(({ node, x }) => {
    last = Math.max(x, last + gap);
    return { node, x: last };
  });
  const shift = moved.reduce((sum, { x }, index) => sum + x - (wanted[index]?.x ?? x), 0) / Math.max(1, moved.length);
  for (const { node, x } of moved) places.set(node.node_id, { x: x - shift, y });
}

/** A line along a row would run behind what stands between: it takes a bow. */
export function passesOver(places: Map<string, Place>, edge: Edge): boolean {
  const from = places.get(edge.source_id);
  const to = places.get(edge.target_id);
  if (!from || !to || from.y !== to.y) return false;
  return [...places.values()].some((each) => each.y === from.y && each.x > Math.min(from.x, to.x) && each.x < Math.max(from.x, to.x));
}

/** The order in which the keyboard walks: the middle row, then above, then below, each from left to right. */
export function walkOf(graph: Graph, places: Map<string, Place>): Node[] {
  const rank = (node: Node) => {
    const { x, y } = places.get(node.node_id) ?? { x: 0, y: 0 };
    return [0, ALERTS, BELOW].indexOf(y) * 1e6 + x;
  };
  return graph.nodes.filter((node) => places.has(node.node_id)).sort((left, right) => rank(left) - rank(right));
}

// The investigation graph from left to right, and the same facts as a table.
import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import cytoscape, { type Core } from "cytoscape";
import { useEffect, useRef, useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { Shown } from "../../ui/states";
import { type Say, useSay } from "../../ui/words";

type Graph = Schemas["GraphOut"];
const STEP = 240;
const ROW = 120;
const PICTURES: Record<string, string> = {
  machine: '<rect x="5" y="4" width="14" height="7" rx="1.5"/><rect x="5" y="13" width="14" height="7" rx="1.5"/><path d="M8 7.5h1M8 16.5h1"/>',
  account: '<circle cx="12" cy="8" r="4"/><path d="M5 20c0-4 3-6 7-6s7 2 7 6"/>',
  address: '<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17"/>',
  alert: '<path d="M6 16h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v3.5zM10 19h4"/>',
  other: '<rect x="5" y="5" width="14" height="14" rx="2"/>',
};
const SHAPES: Record<string, string> = { machine: "round-rectangle", account: "ellipse", address: "ellipse", alert: "diamond", incident: "round-tag" };
const SIZES: Record<string, number> = { machine: 56, account: 44, address: 44, alert: 52, incident: 44 };

export function GraphTab({ incident }: { incident: Schemas["IncidentDetail"] }) {
  const say = useSay();
  const [isTable, setTable] = useState(false);
  const asked = useQuery({
    queryKey: ["incident", incident.incident_id, "graph"],
    queryFn: () => dataOf(api.GET("/api/v1/incidents/{incident_id}/graph", { params: { path: { incident_id: incident.incident_id } } })),
  });
  return (
    <section className="card" aria-label={say("incidents.graph")}>
      <div className="card-head"><h2>{say("incidents.graph")}</h2><Button size="small" onClick={() => setTable(!isTable)}>{say(isTable ? "incidents.asGraph" : "incidents.tableTwin")}</Button></div>
      <Shown asked={asked} rows={8}>{(found) => (isTable ? <Table graph={found} /> : <Drawing graph={found} />)}</Shown>
    </section>
  );
}

function Table({ graph }: { graph: Graph }) {
  const say = useSay();
  const label = new Map(graph.nodes.map((node) => [node.node_id, `${node.label} (${node.kind})`]));
  return (
    <table className="grid" aria-label={say("incidents.graph")}>
      <thead><tr><th scope="col">{say("incidents.from")}</th><th scope="col">{say("incidents.relation")}</th><th scope="col">{say("incidents.to")}</th></tr></thead>
      <tbody>{graph.edges.map((edge) => <tr key={`${edge.source_id}${edge.kind}${edge.target_id}`}><td>{label.get(edge.source_id)}</td><td className="note">{edge.kind.replaceAll("_", " ")}</td><td>{label.get(edge.target_id)}</td></tr>)}</tbody>
    </table>
  );
}

function Drawing({ graph }: { graph: Graph }) {
  const say = useSay();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let drawn: Core | undefined;
    let isCurrent = true;
    void document.fonts.ready.then(() => {
      if (isCurrent && place.current) drawn = draw(place.current, graph, say);
    });
    return () => {
      isCurrent = false;
      drawn?.destroy();
    };
    // The words change with the language, which draws the page anew.
  }, [graph]);
  return <div ref={place} role="img" aria-label={`${say("incidents.graphLabel")}: ${graph.nodes.map((node) => node.label).join(", ")}`} className="investigation" />;
}

/** Left to right is time: the address, then machines in the order in which alerts name them; alerts above, accounts below. */
function placesOf(graph: Graph): Map<string, { x: number; y: number }> {
  const alerts = graph.nodes.filter((node) => node.kind === "alert").sort((left, right) => String(left.details.raised_at).localeCompare(String(right.details.raised_at)));
  const firstNamed = (id: string) => alerts.findIndex((alert) => graph.edges.some((edge) => edge.source_id === alert.node_id && edge.target_id === id));
  const inOrder = (kinds: string[]) => graph.nodes.filter((node) => kinds.includes(node.kind)).sort((left, right) => firstNamed(left.node_id) - firstNamed(right.node_id));
  const addresses = inOrder(["address"]);
  const machines = inOrder(["machine"]);
  const rest = graph.nodes.filter((node) => !["alert", "address", "machine", "incident"].includes(node.kind));
  const way = [...addresses.slice(0, 1), ...machines];
  const places = new Map<string, { x: number; y: number }>();
  const row = (nodes: Graph["nodes"], y: number, width: number, from = 0) =>
    nodes.forEach((node, index) => places.set(node.node_id, { x: from + (nodes.length === 1 ? width / 2 : (index * width) / (nodes.length - 1)), y }));
  const width = Math.max(1, way.length - 1, alerts.length - 1) * STEP;
  row(way, 0, width);
  row(alerts, -2 * ROW, width);
  row([...rest, ...addresses.slice(1)], ROW * 1.6, width * 0.6, width * 0.2);
  return places;
}

/** A line along a row would run behind what stands between: it takes a bow. */
function passesOver(places: Map<string, { x: number; y: number }>, edge: Graph["edges"][number]): boolean {
  const from = places.get(edge.source_id);
  const to = places.get(edge.target_id);
  if (!from || !to || from.y !== to.y) return false;
  return [...places.values()].some((each) => each.y === from.y && each.x > Math.min(from.x, to.x) && each.x < Math.max(from.x, to.x));
}

function stateOf(node: Graph["nodes"][number]): { state: string; word: string } {
  const { isolation } = node;
  if (!isolation) return { state: "", word: "" };
  if (isolation.state === "released") return { state: "released", word: "word.released" };
  return isolation.live_sessions_cut === "verified" ? { state: "isolated", word: "word.isolated" } : { state: "needs", word: "overview.sessionLives" };
}

/** An icon of the kind in the colour of its border, as a picture of our own. */
function pictureOf(kind: string, colour: string): string {
  const path = PICTURES[kind] ?? PICTURES.other;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="${colour}" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${path}</svg>`;
  return `data:image/svg+xml;utf8,${encodeURIComponent(svg)}`;
}

function draw(container: HTMLElement, graph: Graph, say: Say): Core {
  const theme = getComputedStyle(container);
  const colour = (name: string) => theme.getPropertyValue(name).trim();
  const places = placesOf(graph);
  const shown = graph.nodes.filter((node) => node.kind !== "incident");
  const elements = shown.map((node) => {
    const { state, word } = stateOf(node);
    const isHigh = node.details.severity === "High";
    const ink = node.kind === "alert" ? colour(isHigh ? "--gsHigh" : "--gsMedium") : node.kind === "address" ? colour("--gsHigh") : colour("--gsText2");
    const data = { id: node.node_id, label: word ? `${node.label}\n${say(word)}` : node.label, kind: node.kind, state, severity: String(node.details.severity ?? ""), picture: pictureOf(node.kind, ink) };
    return { data, position: places.get(node.node_id) ?? { x: 0, y: 0 } };
  });
  const known = new Set(shown.map((node) => node.node_id));
  const edges = graph.edges.filter((edge) => known.has(edge.source_id) && known.has(edge.target_id))
    .map((edge) => ({ data: { id: `${edge.source_id}|${edge.kind}|${edge.target_id}`, source: edge.source_id, target: edge.target_id, kind: edge.kind, isLong: passesOver(places, edge) } }));
  return cytoscape({
    container, elements: [...elements, ...edges], layout: { name: "preset", fit: true, padding: 50 }, maxZoom: 1.2, minZoom: 0.3, autoungrabify: true,
    style: [
      { selector: "node", style: {
        shape: ((node: { data: (name: string) => string }) => SHAPES[node.data("kind")] ?? "ellipse") as never, width: ((node: { data: (name: string) => string }) => SIZES[node.data("kind")] ?? 40) as never,
        height: ((node: { data: (name: string) => string }) => SIZES[node.data("kind")] ?? 40) as never, "background-color": colour("--gsSunken"), "border-width": 1.5, "border-color": colour("--gsLineStrong"),
        label: "data(label)", "font-size": 12, "font-family": "IBM Plex Sans Variable", color: colour("--gsText"), "text-valign": "bottom", "text-margin-y": 8,
        "text-background-color": colour("--gsSurface"), "text-background-opacity": 1, "text-background-padding": "2px", "text-max-width": "170px", "text-wrap": "wrap",
        "background-image": "data(picture)", "background-width": 24, "background-height": 24, "background-fit": "none" } },
      { selector: "node[kind = 'address']", style: { "background-color": colour("--gsHighTint"), "border-color": colour("--gsHigh"), "border-width": 2.5 } },
      { selector: "node[kind = 'alert']", style: { "background-color": colour("--gsMediumTint"), "border-color": colour("--gsMedium"), "text-valign": "top", "text-margin-y": -8 } },
      { selector: "node[severity = 'High']", style: { "background-color": colour("--gsHighTint"), "border-color": colour("--gsHigh"), "border-width": 2.5 } },
      { selector: "node[state = 'isolated']", style: { "border-width": 4, "border-style": "double", "border-color": colour("--gsOk") } },
      { selector: "node[state = 'needs']", style: { "border-width": 4, "border-color": colour("--gsSignal") } },
      { selector: "edge", style: { width: 1.25, "line-color": colour("--gsLineStrong"), "target-arrow-color": colour("--gsLineStrong"), "target-arrow-shape": "triangle", "curve-style": "bezier" } },
      { selector: "edge[kind = 'names']", style: { width: 1.75, "line-style": "dotted", "target-arrow-shape": "none" } },
      { selector: "edge[kind = 'signed_in_to'], edge[kind = 'connected_to']", style: { width: 4, "line-color": colour("--gsHigh"), "target-arrow-color": colour("--gsHigh") } },
      { selector: "edge[?isLong]", style: { "curve-style": "unbundled-bezier", "control-point-distances": [-70], "control-point-weights": [0.5] } },
      { selector: "edge[kind = 'possibly_same']", style: { "line-style": "dashed", "target-arrow-shape": "none" } },
    ],
  });
}

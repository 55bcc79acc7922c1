// The investigation graph from left to right, and the same facts as a table.
import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import cytoscape, { type Core } from "cytoscape";
import { useEffect, useRef, useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { Shown } from "../../ui/states";
import { useSay } from "../../ui/words";

type Graph = Schemas["GraphOut"];
// Left to right is the way in; alerts stand above it.
const COLUMN: Record<string, number> = { address: 0, account: 1, alert: 1, machine: 2 };
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
      if (isCurrent && place.current) drawn = draw(place.current, graph);
    });
    return () => {
      isCurrent = false;
      drawn?.destroy();
    };
  }, [graph]);
  return <div ref={place} role="img" aria-label={`${say("incidents.graphLabel")}: ${graph.nodes.map((node) => node.label).join(", ")}`} style={{ height: 520 }} />;
}

function draw(container: HTMLElement, graph: Graph): Core {
  const theme = getComputedStyle(container);
  const colour = (name: string) => theme.getPropertyValue(name).trim();
  const rows: Record<number, number> = {};
  const shown = graph.nodes.filter((node) => node.kind !== "incident");
  const elements = shown.map((node) => {
    const column = COLUMN[node.kind] ?? 2;
    const row = (rows[column] = (rows[column] ?? -1) + 1);
    const isolation = node.isolation;
    const state = isolation ? (isolation.state === "released" ? "released" : isolation.live_sessions_cut === "verified" ? "isolated" : "needs") : "";
    return { data: { id: node.node_id, label: node.label, kind: node.kind, state }, position: { x: column * 220, y: node.kind === "alert" ? -150 - row * 110 : row * 130 } };
  });
  const known = new Set(shown.map((node) => node.node_id));
  const edges = graph.edges.filter((edge) => known.has(edge.source_id) && known.has(edge.target_id))
    .map((edge) => ({ data: { id: `${edge.source_id}|${edge.kind}|${edge.target_id}`, source: edge.source_id, target: edge.target_id, kind: edge.kind } }));
  return cytoscape({
    container, elements: [...elements, ...edges], layout: { name: "preset", fit: true, padding: 60 }, maxZoom: 1.5, minZoom: 0.3, autoungrabify: true,
    style: [
      { selector: "node", style: {
        shape: ((node: { data: (name: string) => string }) => SHAPES[node.data("kind")] ?? "ellipse") as never, width: ((node: { data: (name: string) => string }) => SIZES[node.data("kind")] ?? 40) as never,
        height: ((node: { data: (name: string) => string }) => SIZES[node.data("kind")] ?? 40) as never, "background-color": colour("--gsSunken"), "border-width": 1.5, "border-color": colour("--gsLineStrong"),
        label: "data(label)", "font-size": 12, "font-family": "IBM Plex Sans Variable", color: colour("--gsText"), "text-valign": "bottom", "text-margin-y": 8,
        "text-background-color": colour("--gsSurface"), "text-background-opacity": 1, "text-background-padding": "2px", "text-max-width": "150px", "text-wrap": "ellipsis" } },
      { selector: "node[kind = 'alert']", style: { "background-color": colour("--gsHighTint"), "border-color": colour("--gsHigh") } },
      { selector: "node[state = 'isolated']", style: { "border-width": 4, "border-style": "double", "border-color": colour("--gsOk") } },
      { selector: "node[state = 'needs']", style: { "border-width": 4, "border-color": colour("--gsSignal") } },
      { selector: "edge", style: { width: 1.25, "line-color": colour("--gsLineStrong"), "target-arrow-color": colour("--gsLineStrong"), "target-arrow-shape": "triangle", "curve-style": "bezier" } },
      { selector: "edge[kind = 'names']", style: { width: 1.75, "line-style": "dotted", "target-arrow-shape": "none" } },
      { selector: "edge[kind = 'signed_in_to'], edge[kind = 'connected_to']", style: { width: 4, "line-color": colour("--gsHigh"), "target-arrow-color": colour("--gsHigh") } },
      { selector: "edge[kind = 'possibly_same']", style: { "line-style": "dashed", "target-arrow-shape": "none" } },
    ],
  });
}

// The drawing of an incident: things in their places, the numbered path; arrows walk it, Enter chooses.
import { ZoomFit20Regular, ZoomIn20Regular, ZoomOut20Regular } from "@fluentui/react-icons";
import cytoscape, { type Core, type ElementDefinition } from "cytoscape";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { type Say, useSay } from "../../../ui/words";
import { type Approval, type Edge, type Graph, type Node, factsOf, idOf, stateOf, stateWord, timeOf, wordOf } from "./facts";
import { pictureOf, shapeOf, sizeOf, stylesOf } from "./pictures";
import { type Place, passesOver, placesOf, walkOf } from "./places";

const LABEL = 46; // keeps arrows off the label under a thing
const INKS: Record<string, string> = { High: "--gsHigh", Medium: "--gsMedium", Low: "--gsLow" };
const NEXT: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

interface Drawn {
  graph: Graph;
  approvals: Approval[];
  isPathShown: boolean;
  chosen: string | undefined;
  choose: (id: string) => void;
}

export function Drawing({ graph, approvals, isPathShown, chosen, choose }: Drawn) {
  const say = useSay();
  const facts = useMemo(() => factsOf(graph), [graph]);
  const places = useMemo(() => placesOf(graph, facts), [graph, facts]);
  const place = useRef<HTMLDivElement>(null);
  const core = useRef<Core | undefined>(undefined);
  const [focused, setFocused] = useState<string | undefined>();
  useEffect(() => {
    let isCurrent = true;
    void document.fonts.ready.then(() => {
      if (!isCurrent || !place.current) return;
      core.current = draw(place.current, elementsOf(graph, facts, places, approvals, isPathShown, say, place.current));
      fit(core.current);
      core.current.on("tap", "node", (event) => choose((event.target as { id: () => string }).id()));
      mark(core.current, "chosen", chosen);
    });
    return () => {
      isCurrent = false;
      core.current?.destroy();
      core.current = undefined;
    };
    // The words are new with another language and with other colours, and the canvas has both; the choice is marked below.
  }, [graph, approvals, isPathShown, say]);
  useEffect(() => mark(core.current, "chosen", chosen), [chosen]);
  useEffect(() => mark(core.current, "focused", focused), [focused]);
  const zoom = (factor: number) => {
    const drawn = core.current;
    drawn?.zoom({ level: drawn.zoom() * factor, renderedPosition: { x: drawn.width() / 2, y: drawn.height() / 2 } });
  };
  return (
    <div className="investigation">
      <div ref={place} role="img" aria-label={`${say("incidents.graphLabel")}: ${graph.nodes.filter((node) => node.kind !== "incident").map((node) => node.label).join(", ")}`} className="investigation-canvas" />
      <Walk nodes={walkOf(graph, places)} approvals={approvals} chosen={chosen} choose={choose} focused={focused} setFocused={setFocused} />
      <div className="investigation-zoom">
        <Zoom label={say("graph.zoomIn")} act={() => zoom(1.25)}><ZoomIn20Regular /></Zoom>
        <Zoom label={say("graph.zoomOut")} act={() => zoom(0.8)}><ZoomOut20Regular /></Zoom>
        <Zoom label={say("graph.fit")} act={() => fit(core.current)}><ZoomFit20Regular /></Zoom>
      </div>
    </div>
  );
}

function Zoom({ label, act, children }: { label: string; act: () => void; children: ReactNode }) {
  return <button type="button" className="icon-button framed" title={label} aria-label={label} onClick={act}>{children}</button>;
}

interface Walked {
  nodes: Node[];
  approvals: Approval[];
  chosen: string | undefined;
  choose: (id: string) => void;
  focused: string | undefined;
  setFocused: (id: string | undefined) => void;
}

/** The things as a list for keyboard and screen reader; what it stands on is marked in the drawing. */
function Walk({ nodes, approvals, chosen, choose, focused, setFocused }: Walked) {
  const say = useSay();
  const at = Math.max(0, nodes.findIndex((node) => node.node_id === (focused ?? chosen)));
  const walk = (event: KeyboardEvent) => {
    const step = NEXT[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? nodes.length - 1 : step === undefined ? undefined : at + step;
    if (to !== undefined) {
      event.preventDefault();
      setFocused(nodes[Math.min(nodes.length - 1, Math.max(0, to))]?.node_id);
    }
    if (event.key === "Enter" && nodes[at]) choose(nodes[at].node_id);
  };
  return (
    <ul
      role="listbox" tabIndex={0} className="investigation-walk" aria-label={say("graph.things")} aria-activedescendant={`thing-${at}`} onKeyDown={walk}
      onFocus={() => setFocused(nodes[at]?.node_id)} onBlur={() => setFocused(undefined)}
    >
      {nodes.map((node, index) => (
        <li key={node.node_id} id={`thing-${index}`} role="option" aria-selected={node.node_id === chosen} className="visually-hidden">
          {[say(`graph.thing.${node.kind}`), node.label, stateWord(node, stateOf(node, approvals), say)].filter(Boolean).join(", ")}
        </li>
      ))}
    </ul>
  );
}

/** All of it, with type no larger than the page's: a wide screen gets air. */
function fit(core: Core | undefined) {
  core?.fit(undefined, 32);
  if (core && core.zoom() > 1) core.zoom(1).center();
}

function mark(core: Core | undefined, name: string, id: string | undefined) {
  core?.nodes().removeClass(name);
  if (id) core?.getElementById(id).addClass(name);
}

function elementsOf(graph: Graph, facts: Edge[], places: Map<string, Place>, approvals: Approval[], isPathShown: boolean, say: Say, container: HTMLElement): ElementDefinition[] {
  const colour = colours(container);
  const steps = graph.edges.filter((edge) => edge.is_movement || edge.kind === "sent_data_to");
  const onPath = new Set(isPathShown ? steps.flatMap((edge) => [edge.source_id, edge.target_id]) : []);
  const nodes = graph.nodes.filter((node) => places.has(node.node_id)).map((node) => {
    const state = stateOf(node, approvals);
    const ink = colour(inkOf(node, onPath.has(node.node_id)));
    const label = [shortened(node.label), stateWord(node, state, say)].filter(Boolean).join("\n");
    const data = { id: node.node_id, label, kind: node.kind, state, severity: String(node.details.severity ?? ""), isOnPath: onPath.has(node.node_id), shape: shapeOf(node.kind), size: sizeOf(node.kind), picture: pictureOf(node.kind, ink) };
    return { data, position: { ...(places.get(node.node_id) ?? { x: 0, y: 0 }) } };
  });
  return [...nodes, ...facts.filter((edge) => places.has(edge.source_id) && places.has(edge.target_id)).map((edge) => lineOf(edge, facts, places, isPathShown, say))];
}

function inkOf(node: Node, isOnPath: boolean): string {
  if (node.kind === "alert") return INKS[String(node.details.severity)] ?? "--gsInfo";
  if (node.kind === "address" && isOnPath) return "--gsHigh";
  return node.kind === "machine" ? "--gsBusy" : "--gsText2";
}

function lineOf(edge: Edge, facts: Edge[], places: Map<string, Place>, isPathShown: boolean, say: Say): ElementDefinition {
  const isMovement = isPathShown && edge.is_movement;
  const isOut = isPathShown && edge.kind === "sent_data_to";
  const time = edge.at && (isMovement || isOut) ? timeOf(edge.at) : "";
  const label = [isMovement ? edge.step : "", [time, wordOf(edge, say)].filter(Boolean).join(isOut ? "  " : " ")].filter(Boolean).join("  ");
  const comesFromBelow = (places.get(edge.source_id)?.y ?? 0) > (places.get(edge.target_id)?.y ?? 0);
  const isTwin = facts.some((other) => other !== edge && other.is_movement && other.source_id === edge.source_id && other.target_id === edge.target_id);
  const isLeftward = (places.get(edge.source_id)?.x ?? 0) > (places.get(edge.target_id)?.x ?? 0);
  const up = isLeftward ? 1 : -1; // the side of a bow is told from its start
  const bow = isTwin && edge.kind !== "names" ? up * -90 : passesOver(places, edge) ? up * 150 : 0;
  return { data: { id: idOf(edge), source: edge.source_id, target: edge.target_id, kind: edge.kind, label, isMovement, isOut, bow, distance: comesFromBelow ? LABEL : 2 } };
}

function shortened(label: string): string {
  return label.length > 60 ? `${label.slice(0, 59)}…` : label;
}

function colours(container: HTMLElement): (name: string) => string {
  const theme = getComputedStyle(container);
  return (name) => theme.getPropertyValue(name).trim();
}

function draw(container: HTMLElement, elements: ElementDefinition[]): Core {
  return cytoscape({ container, elements, layout: { name: "preset" }, maxZoom: 1.6, minZoom: 0.3, autoungrabify: true, boxSelectionEnabled: false, style: stylesOf(colours(container)) });
}

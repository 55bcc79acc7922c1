// The run as its designer drew it: the path taken in green, what was not taken greyed, one click to an action.
import { Controls, type Edge, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow, type ReactFlowInstance } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useEffect, useRef, useState } from "react";
import type { Schemas } from "../../api/client";
import { span } from "../../ui/time";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { type Action, titleOf } from "./actions";
import { bringIn, fitted } from "./fitting";
import { iconOf } from "./icons";
import { type Placed, layOut } from "./layout";

interface RunGraphProps {
  run: Schemas["RunDetail"];
  chosen: string;
  choose: (key: string) => void;
}

interface Data extends Record<string, unknown> {
  action?: Action;
  label?: string;
  isTaken: boolean;
  isChosen: boolean;
  choose: (key: string) => void;
  share: [number, number];
}

type Flow = ReactFlowInstance<Node<Data>, Edge>;

const MANY = 100; // nodes above which only those in sight are drawn
const NODE_TYPES = { action: ActionNode, box: BoxNode, branch: BranchNode };

export function RunGraph({ run, chosen, choose }: RunGraphProps) {
  const say = useSay();
  const [placed, setPlaced] = useState<Placed | null>(null);
  const [flow, setFlow] = useState<Flow | null>(null);
  const frame = useRef<HTMLDivElement>(null);
  const shape = JSON.stringify(run.actions, ["key", "name", "run_after", "branches", "label", "actions"]);
  useEffect(() => {
    let isCurrent = true;
    void layOut(run.actions, run.trigger.name).then((found) => isCurrent && setPlaced(found));
    return () => {
      isCurrent = false;
    };
    // The layout hangs on the shape alone; states change without moving anything.
  }, [shape]);
  useEffect(() => {
    const place = frame.current;
    if (!flow || !placed || !place) return;
    const watch = new ResizeObserver(() => void flow.setViewport(fitted(placed, place)));
    watch.observe(place);
    return () => watch.disconnect();
  }, [flow, placed]);
  if (!placed) return null;
  const start = new Date(run.started_at ?? run.accepted_at).getTime();
  const whole = Math.max(1, run.milliseconds ?? Date.now() - start);
  const shareOf = (action: Action | undefined): [number, number] => {
    if (!action?.started_at || action.status === "Skipped") return [0, 0];
    return [(new Date(action.started_at).getTime() - start) / whole, Math.max(0.01, (action.milliseconds ?? 0) / whole)];
  };
  const nodes: Node<Data>[] = placed.nodes.map((node) => ({
    id: node.id, type: node.kind, position: { x: node.x, y: node.y }, width: node.width, height: node.height, parentId: node.parent,
    measured: { width: node.width, height: node.height }, // a node without it loses its handles, and with them its edges, at each render
    selectable: false, draggable: false, focusable: false,
    data: { action: node.action, label: node.label, isTaken: node.isTaken, isChosen: node.id === chosen, choose, share: shareOf(node.action) },
  }));
  const edges: (Edge & { pathOptions?: object })[] = placed.edges.map((edge) => ({
    id: edge.id, source: edge.source, target: edge.target, type: "smoothstep", focusable: false, zIndex: 1, pathOptions: { offset: 6, borderRadius: 4 },
    markerEnd: { type: MarkerType.ArrowClosed, width: edge.isTaken ? 12 : 14, height: edge.isTaken ? 12 : 14, color: edge.isTaken ? "var(--gsOk)" : "var(--gsLineStrong)" },
    style: edge.isTaken ? { stroke: "var(--gsOk)", strokeWidth: 2.5 } : { stroke: "var(--gsLineStrong)", strokeWidth: 1.5, strokeDasharray: "4 4" },
  }));
  return (
    <div ref={frame} className="run-frame" onFocus={(event) => flow && bringIn(flow, event.currentTarget, event.target)}>
      <ReactFlow
        nodes={nodes} edges={edges} nodeTypes={NODE_TYPES} onInit={setFlow} panOnScroll minZoom={0.1} maxZoom={1.5} onlyRenderVisibleElements={nodes.length > MANY}
        nodesDraggable={false} nodesConnectable={false} elementsSelectable={false} proOptions={{ hideAttribution: true }} aria-label={say("runs.graph")}
      >
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function ActionNode({ id, data }: NodeProps<Node<Data>>) {
  const say = useSay();
  const { action } = data;
  const isSkipped = !action ? false : action.status === "Skipped" || action.status === "NotRun";
  return (
    <>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <button type="button" className={`node ${isSkipped ? "skipped" : ""} ${data.isChosen ? "chosen" : ""}`} onClick={() => data.choose(id)} aria-pressed={data.isChosen} title={action ? titleOf(action) : data.label}>
        <span className="row"><span className="node-icon">{iconOf(action)}</span><span className="strong grow cut">{action ? titleOf(action) : data.label}</span>{action ? <IconOf action={action} /> : <span className="icon-only"><Verdict word="done" /></span>}</span>
        <span className="note cut node-note">{action ? (isSkipped ? say("word.skipped") : span(action.milliseconds)) : say("runs.trigger")}</span>
        <span className="node-time"><i style={{ marginLeft: `${data.share[0] * 100}%`, width: `${data.share[1] * 100}%` }} /></span>
      </button>
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </>
  );
}

function BoxNode({ id, data }: NodeProps<Node<Data>>) {
  const say = useSay();
  const { action } = data;
  if (!action) return null;
  return (
    <>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <div className={`box ${action.status === "Skipped" ? "skipped" : ""} ${data.isChosen ? "chosen" : ""}`}>
        <button type="button" className="box-head" onClick={() => data.choose(id)} aria-pressed={data.isChosen}>
          <span className="node-icon">{iconOf(action)}</span><span className="strong cut">{titleOf(action)}</span><span className="note">{branchWord(action, say)}</span><span className="grow" /><IconOf action={action} />
        </button>
      </div>
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </>
  );
}

function branchWord(action: Action, say: (key: string) => string): string {
  if (action.type !== "If" || !action.branch) return action.branch ?? "";
  return say(action.branch === "actions" || action.branch === "True" ? "runs.true" : "runs.false").toLowerCase();
}

function BranchNode({ data }: NodeProps<Node<Data>>) {
  const say = useSay();
  const names: Record<string, string> = { actions: say("runs.true"), else: say("runs.false"), True: say("runs.true"), False: say("runs.false") };
  return <div className={`branch ${data.isTaken ? "taken" : ""}`}><span className="strong">{names[data.label ?? ""] ?? data.label}</span> {say(data.isTaken ? "runs.taken" : "runs.notTaken")}</div>;
}

function IconOf({ action }: { action: Action }) {
  const say = useSay();
  const word = wordOfStatus(action.status);
  return <span className="icon-only" title={say(`word.${word}`)}><Verdict word={word} /></span>;
}

// Where each action stands: each branch is laid out alone, then its box as one node. A chain, which nearly all branches are, is stacked
// here; where actions run side by side elk lays them out, in a worker that is fetched only then.
import ELK, { type ELK as Elk, type ElkExtendedEdge, type ElkNode } from "elkjs/lib/elk-api.js";
import elkUrl from "elkjs/lib/elk-worker.min.js?url";
import { type Action, CONTAINERS, TRIGGER } from "./actions";

const NODE = { width: 172, height: 58 };
const GAP = 30;
const BRANCH_HEAD = 30;
const BOX_HEAD = 40;
const PADDING = 14;
const OPTIONS = {
  "elk.algorithm": "layered", "elk.direction": "DOWN", "elk.layered.spacing.nodeNodeBetweenLayers": String(GAP), "elk.spacing.nodeNode": "24",
  "elk.layered.nodePlacement.strategy": "BRANDES_KOEPF", "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED", "elk.padding": "[top=0,left=0,bottom=0,right=0]",
};
let elk: Elk | undefined;

export interface PlacedNode {
  id: string;
  kind: "action" | "box" | "branch";
  x: number;
  y: number;
  width: number;
  height: number;
  parent?: string;
  action?: Action;
  label?: string;
  isTaken: boolean;
}

export interface PlacedEdge {
  id: string;
  source: string;
  target: string;
  isTaken: boolean;
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
}

interface Block extends Placed {
  width: number;
  height: number;
}

const didRun = (action: Action) => action.status !== "Skipped" && action.status !== "NotRun";

export async function layOut(actions: Action[], trigger: string): Promise<Placed> {
  const block = await layOutBlock(actions, undefined, trigger);
  return { nodes: block.nodes, edges: block.edges };
}

/** One sequence of actions, with the boxes inside it done first. */
async function layOutBlock(actions: Action[], parent: string | undefined, trigger?: string): Promise<Block> {
  const inner = new Map<string, Block>();
  await Promise.all(actions.filter((each) => CONTAINERS.has(each.type)).map(async (each) => inner.set(each.key, await layOutBox(each))));
  const sizes = new Map(actions.map((each) => [each.key, inner.get(each.key) ?? NODE]));
  const byName = new Map(actions.map((each) => [each.name, each]));
  const edges: PlacedEdge[] = actions.flatMap((each) =>
    Object.keys(each.run_after).flatMap((name) => {
      const before = byName.get(name);
      return before ? [{ id: `${before.key}>${each.key}`, source: before.key, target: each.key, isTaken: didRun(each) && didRun(before) }] : [];
    }),
  );
  const children: ElkNode[] = actions.map((each) => ({ id: each.key, width: sizes.get(each.key)?.width ?? 0, height: sizes.get(each.key)?.height ?? 0 }));
  if (trigger !== undefined) {
    children.unshift({ id: TRIGGER, ...NODE });
    for (const each of actions) if (Object.keys(each.run_after).length === 0) edges.push({ id: `${TRIGGER}>${each.key}`, source: TRIGGER, target: each.key, isTaken: didRun(each) });
  }
  const graph = stacked(children, edges) ?? (await byElk(children, edges.map((edge) => ({ id: edge.id, sources: [edge.source], targets: [edge.target] }))));
  const byKey = new Map(actions.map((each) => [each.key, each]));
  const nodes = (graph.children ?? []).flatMap((child): PlacedNode[] => {
    const action = byKey.get(child.id);
    const place = { id: child.id, x: child.x ?? 0, y: child.y ?? 0, width: child.width ?? 0, height: child.height ?? 0, ...(parent ? { parent } : {}) };
    if (!action) return [{ ...place, kind: "action", label: (trigger ?? "").replaceAll("_", " "), isTaken: true }];
    const box = inner.get(action.key);
    return box ? [{ ...place, kind: "box", action, isTaken: didRun(action) }, ...box.nodes] : [{ ...place, kind: "action", action, isTaken: didRun(action) }];
  });
  const all = [...edges, ...[...inner.values()].flatMap((box) => box.edges)];
  return { nodes, edges: all, width: graph.width ?? NODE.width, height: graph.height ?? NODE.height };
}

/** One under the other about one middle line; nothing where the nodes are no chain. */
function stacked(children: ElkNode[], edges: PlacedEdge[]): ElkNode | undefined {
  if (children.length === 0) return { id: "block", children, width: 0, height: 0 };
  const after = new Map(edges.map((edge) => [edge.source, edge.target]));
  const targets = new Set(after.values());
  if (edges.length !== children.length - 1 || after.size !== edges.length || targets.size !== edges.length) return undefined;
  const byId = new Map(children.map((child) => [child.id, child]));
  const width = Math.max(...children.map((child) => child.width ?? 0));
  const placed: ElkNode[] = [];
  let height = 0;
  for (let child = children.find((each) => !targets.has(each.id)); child; child = byId.get(after.get(child.id) ?? "")) {
    placed.push({ ...child, x: (width - (child.width ?? 0)) / 2, y: height });
    height += (child.height ?? 0) + GAP;
  }
  return placed.length === children.length ? { id: "block", children: placed, width, height: height - GAP } : undefined;
}

function byElk(children: ElkNode[], edges: ElkExtendedEdge[]): Promise<ElkNode> {
  elk ??= new ELK({ workerFactory: () => new Worker(elkUrl) });
  return elk.layout({ id: "block", layoutOptions: OPTIONS, children, edges });
}

/** A box with its branches side by side. */
async function layOutBox(action: Action): Promise<Block> {
  const branches = action.branches ?? [];
  const blocks = await Promise.all(branches.map((branch, index) => layOutBlock(branch.actions, `${action.key}#${index}`)));
  const nodes: PlacedNode[] = [];
  let x = PADDING;
  let tallest = 0;
  branches.forEach((branch, index) => {
    const block = blocks[index];
    if (!block) return;
    const width = Math.max(block.width, NODE.width - 20) + 2 * PADDING;
    const height = block.height + BRANCH_HEAD + PADDING;
    const id = `${action.key}#${index}`;
    nodes.push({ id, kind: "branch", x, y: BOX_HEAD, width, height, parent: action.key, label: branch.label, isTaken: branch.is_taken });
    for (const node of block.nodes) nodes.push(node.parent === id ? { ...node, x: node.x + PADDING, y: node.y + BRANCH_HEAD } : node);
    x += width + PADDING;
    tallest = Math.max(tallest, height);
  });
  for (const node of nodes) if (node.kind === "branch" && node.parent === action.key) node.height = tallest;
  return { nodes, edges: blocks.flatMap((block) => block.edges), width: Math.max(x, NODE.width), height: BOX_HEAD + tallest + PADDING };
}

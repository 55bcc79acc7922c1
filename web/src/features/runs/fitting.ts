// Where the graph stands in its column: as wide as the column at most, as small as can still be read, the rest is scrolled to.
import type { Viewport } from "@xyflow/react";
import type { Placed } from "./layout";

const EDGE = 20;
const READABLE = 0.75;

interface Frame {
  clientWidth: number;
  clientHeight: number;
}

export function fitted({ nodes }: Placed, { clientWidth, clientHeight }: Frame): Viewport {
  const outer = nodes.filter((each) => each.parent === undefined);
  const width = Math.max(...outer.map((each) => each.x + each.width));
  const height = Math.max(...outer.map((each) => each.y + each.height));
  const zoom = Math.min(1, (clientWidth - 2 * EDGE) / width, Math.max(READABLE, (clientHeight - 2 * EDGE) / height));
  return { zoom, x: (clientWidth - width * zoom) / 2, y: Math.max(EDGE, (clientHeight - height * zoom) / 2) };
}

interface Movable {
  getViewport: () => Viewport;
  setViewport: (viewport: Viewport) => unknown;
}

/** What got the focus from the keyboard is moved into sight; under a pointer nothing moves. */
export function bringIn(flow: Movable, frame: HTMLElement, target: HTMLElement): void {
  if (!target.closest(".react-flow__node") || !target.matches(":focus-visible")) return;
  const around = frame.getBoundingClientRect();
  const box = target.getBoundingClientRect();
  const into = (from: number, to: number, low: number, high: number) => (from < low + EDGE ? low + EDGE - from : Math.min(0, high - EDGE - to));
  const { x, y, zoom } = flow.getViewport();
  flow.setViewport({ zoom, x: x + into(box.left, box.right, around.left, around.right), y: y + into(box.top, box.bottom, around.top, around.bottom) });
}

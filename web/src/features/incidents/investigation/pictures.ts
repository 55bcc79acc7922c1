// How things and lines look: shapes, sizes and icons by kind, colours from the theme.
import type { StylesheetJson } from "cytoscape";

const PICTURES: Record<string, string> = {
  machine: '<rect x="5" y="4" width="14" height="7" rx="1.5"/><rect x="5" y="13" width="14" height="7" rx="1.5"/><path d="M8 7.5h1M8 16.5h1"/>',
  account: '<circle cx="12" cy="8" r="4"/><path d="M5 20c0-4 3-6 7-6s7 2 7 6"/>',
  address: '<circle cx="12" cy="12" r="8.5"/><path d="M3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17"/>',
  alert: '<path d="M6 16h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v3.5zM10 19h4"/>',
  process: '<rect x="4" y="5" width="16" height="14" rx="2"/><path d="M8 10l2.5 2L8 14M12.5 15h3.5"/>',
  file: '<path d="M7 3.5h6.5L18 8v12.5H7zM13.5 3.5V8H18"/>',
  other: '<rect x="5" y="5" width="14" height="14" rx="2"/>',
};
const SHAPES: Record<string, string> = { machine: "round-rectangle", account: "ellipse", address: "ellipse", alert: "round-diamond" };
const SIZES: Record<string, number> = { machine: 56, account: 44, address: 44, alert: 52 };

export const shapeOf = (kind: string) => SHAPES[kind] ?? "round-rectangle";
export const sizeOf = (kind: string) => SIZES[kind] ?? 40;

/** An icon of the kind in the colour of its border, as a picture of our own. */
export function pictureOf(kind: string, colour: string): string {
  const path = PICTURES[kind] ?? PICTURES.other;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="${colour}" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${path}</svg>`;
  return `data:image/svg+xml;utf8,${encodeURIComponent(svg)}`;
}

export function stylesOf(colour: (name: string) => string): StylesheetJson {
  const high = { "line-color": colour("--gsHigh"), "target-arrow-color": colour("--gsHigh"), color: colour("--gsText"), "font-size": 12, "font-weight": 600 } as const;
  return [
    { selector: "node", style: {
      shape: "data(shape)" as never, width: "data(size)" as never, height: "data(size)" as never, "background-color": colour("--gsSunken"), "border-width": 1.5, "border-color": colour("--gsText3"),
      label: "data(label)", "font-size": 12, "font-family": "IBM Plex Sans Variable", color: colour("--gsText"), "text-valign": "bottom", "text-margin-y": 9, "line-height": 1.3,
      "text-background-color": colour("--gsSurface"), "text-background-opacity": 1, "text-background-padding": "2px", "text-max-width": "170px", "text-wrap": "wrap",
      "background-image": "data(picture)", "background-width": 24, "background-height": 24, "background-fit": "none", "underlay-color": colour("--gsLow"), "underlay-opacity": 0, "underlay-padding": 7 } },
    { selector: "node[?isOnPath]", style: { "border-width": 2.5, "border-color": colour("--gsHigh"), "font-weight": 600 } },
    { selector: "node[kind = 'address'][?isOnPath]", style: { "background-color": colour("--gsHighTint") } },
    { selector: "node[kind = 'alert']", style: { "background-color": colour("--gsMediumTint"), "border-color": colour("--gsMedium"), "text-valign": "top", "text-margin-y": -8 } },
    { selector: "node[severity = 'High']", style: { "background-color": colour("--gsHighTint"), "border-color": colour("--gsHigh"), "border-width": 2.5, "font-weight": 600 } },
    { selector: "node[severity = 'Low']", style: { "background-color": colour("--gsLowTint"), "border-color": colour("--gsLow") } },
    { selector: "node[severity = 'Informational']", style: { "background-color": colour("--gsInfoTint"), "border-color": colour("--gsInfo") } },
    { selector: "node[state = 'isolated']", style: { "border-width": 6, "border-style": "double", "border-color": colour("--gsOk") } },
    { selector: "node[state = 'needs']", style: { "border-width": 4, "border-color": colour("--gsSignalLine") } },
    { selector: "node.chosen", style: { "underlay-opacity": 0.22, "underlay-shape": "round-rectangle" } },
    { selector: "node.chosen[kind = 'account'], node.chosen[kind = 'address']", style: { "underlay-shape": "ellipse" } },
    { selector: "node.focused", style: { "outline-width": 2, "outline-color": colour("--colorStrokeFocus2"), "outline-offset": 4 } as never },
    { selector: "edge", style: {
      width: 1.25, "line-color": colour("--gsLineStrong"), "target-arrow-color": colour("--gsLineStrong"), "target-arrow-shape": "triangle", "curve-style": "bezier", "target-distance-from-node": "data(distance)" as never,
      label: "data(label)", "font-size": 11, "font-family": "IBM Plex Sans Variable", color: colour("--gsText2"), "text-background-color": colour("--gsSurface"), "text-background-opacity": 1, "text-background-padding": "4px" } },
    { selector: "edge[kind = 'seen_with'], edge[kind = 'possibly_same'], edge[kind = 'names']", style: { "target-arrow-shape": "none", "target-distance-from-node": 2 } },
    { selector: "edge[kind = 'possibly_same'], edge[kind = 'guessed_at']", style: { "line-style": "dashed" } },
    { selector: "edge[kind = 'names']", style: { width: 1.75, "line-style": "dotted", "line-color": colour("--gsText3"), label: "" } },
    { selector: "edge[?isMovement]", style: { width: 4, "arrow-scale": 0.9, ...high } },
    { selector: "edge[?isOut]", style: { width: 2.5, "line-style": "dashed", ...high } },
    { selector: "edge[?bow]", style: { "curve-style": "unbundled-bezier", "control-point-distances": "data(bow)" as never, "control-point-weights": 0.5 as never } },
  ];
}

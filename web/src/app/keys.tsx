// `?` lists the keys of this page, F6 goes from region to region.
import { useEffect, useState } from "react";
import { Sheet } from "../ui/sheet";
import { useSay } from "../ui/words";

const OPEN = "guardship:keys";
const EVERYWHERE: [string, string][] = [["Ctrl K", "keys.find"], ["F6", "keys.regions"], ["Esc", "keys.close"], ["?", "keys.these"]];
const ROW = "main table.grid tbody tr[tabindex]";
/** Keys by what must stand on the page for them to work. */
const OF_PART: [string, [string, string][]][] = [
  [ROW, [["↑ ↓  j k", "keys.rows"], ["Enter", "keys.open"]]],
  [".react-flow", [["Tab", "keys.graph"], ["Enter", "keys.actions"]]],
  [".logs textarea", [["Shift Enter", "keys.runQuery"]]],
];

export function openKeys(): void {
  window.dispatchEvent(new Event(OPEN));
}

export function Keys() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const open = () => setOpen(true);
    const keys = (event: KeyboardEvent) => {
      if (event.key === "F6") {
        event.preventDefault();
        nextRegion(event.shiftKey ? -1 : 1);
      }
      if (event.key === "?" && !isTyping(event.target)) setOpen(true);
      if ((event.key === "j" || event.key === "k") && isNowhere(event.target)) document.querySelector<HTMLElement>(`${ROW}[tabindex="0"]`)?.focus();
    };
    window.addEventListener(OPEN, open);
    window.addEventListener("keydown", keys);
    return () => {
      window.removeEventListener(OPEN, open);
      window.removeEventListener("keydown", keys);
    };
  }, []);
  return isOpen ? <List close={() => setOpen(false)} /> : null;
}

function List({ close }: { close: () => void }) {
  const say = useSay();
  const [rows] = useState(() => [...OF_PART.flatMap(([part, keys]) => (document.querySelector(part) ? keys : [])), ...EVERYWHERE]);
  return (
    <Sheet label={say("top.keys")} close={close}>
      <h2>{say("top.keys")}</h2>
      <dl className="keys">{rows.map(([key, text]) => <div key={text}><dt><kbd>{key}</kbd></dt><dd>{say(text)}</dd></div>)}</dl>
      <button type="button" className="quiet-button" autoFocus onClick={close}>{say("keys.done")}</button>
    </Sheet>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

/** On nothing in particular: the page itself has the focus. */
function isNowhere(target: EventTarget | null): boolean {
  return target === document.body || (target instanceof HTMLElement && target.id === "page");
}

/** Rail, top, page, pane: to the one after the region that has the focus. */
function nextRegion(step: 1 | -1): void {
  const regions = [...document.querySelectorAll<HTMLElement>("nav.rail, header.top, main, main aside")];
  const here = regions.findLastIndex((each) => each.contains(document.activeElement));
  const next = regions.at((here + step + regions.length) % regions.length);
  if (!next) return;
  if (next.tabIndex < 0) next.tabIndex = -1;
  next.focus();
}

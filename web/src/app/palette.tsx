// Ctrl+K: find a place or a thing and go there.
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useState } from "react";
import { Sheet } from "../ui/sheet";
import { useSay } from "../ui/words";
import { type Goal, useGoals } from "./goals";

const OPEN = "guardship:palette";

export function openPalette(): void {
  window.dispatchEvent(new Event(OPEN));
}

export function Palette() {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const open = () => setOpen(true);
    const keys = (event: globalThis.KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOpen(true);
      }
    };
    window.addEventListener(OPEN, open);
    window.addEventListener("keydown", keys);
    return () => {
      window.removeEventListener(OPEN, open);
      window.removeEventListener("keydown", keys);
    };
  }, []);
  return isOpen ? <Finder close={() => setOpen(false)} /> : null;
}

function Finder({ close }: { close: () => void }) {
  const say = useSay();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const goals = useGoals(text);
  const go = (goal: Goal | undefined) => {
    if (!goal) return;
    close();
    void navigate({ to: goal.to as never, search: (goal.search ?? {}) as never });
  };
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt((value) => Math.max(0, Math.min(value + step, goals.length - 1)));
    }
    if (event.key === "Enter") go(goals[at]);
  };
  return (
    <Sheet label={say("palette.title")} close={close}>
      <input
        className="field" autoFocus value={text} onChange={(event) => { setText(event.target.value); setAt(0); }} onKeyDown={keys} role="combobox"
        aria-label={say("palette.title")} aria-expanded={goals.length > 0} aria-controls="goals" aria-activedescendant={goals[at] ? `goal-${at}` : undefined} placeholder={say("palette.title")}
      />
      {goals.length === 0 && <p className="note" role="status">{say("palette.empty")}</p>}
      <ul id="goals" role="listbox" aria-label={say("palette.title")} className="goals" hidden={goals.length === 0}>
        {goals.map((goal, index) => <li key={`${goal.to} ${goal.label}`} id={`goal-${index}`} role="option" aria-selected={index === at} onClick={() => go(goal)}>{goal.label}</li>)}
      </ul>
    </Sheet>
  );
}

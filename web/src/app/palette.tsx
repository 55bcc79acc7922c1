// Ctrl+K: find a place or a thing and go there.
import { Dialog, DialogBody, DialogContent, DialogSurface, DialogTitle, Input } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useState } from "react";
import { api, dataOf } from "../api/client";
import { useSay } from "../ui/words";

const OPEN = "guardship:palette";

export function openPalette(): void {
  window.dispatchEvent(new Event(OPEN));
}

interface Goal {
  label: string;
  to: string;
}

export function Palette() {
  const say = useSay();
  const navigate = useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
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
  const goals = useGoals(isOpen).filter((goal) => goal.label.toLowerCase().includes(text.toLowerCase())).slice(0, 10);
  const go = (goal: Goal | undefined) => {
    if (!goal) return;
    setOpen(false);
    setText("");
    void navigate({ to: goal.to as never });
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt((value) => Math.min(value + 1, goals.length - 1));
    if (event.key === "ArrowUp") setAt((value) => Math.max(value - 1, 0));
    if (event.key === "Enter") go(goals[at]);
  };
  return (
    <Dialog open={isOpen} onOpenChange={(_, data) => setOpen(data.open)}>
      <DialogSurface aria-label={say("palette.title")}>
        <DialogBody>
          <DialogTitle>{say("palette.title")}</DialogTitle>
          <DialogContent>
            <Input value={text} onChange={(_, data) => { setText(data.value); setAt(0); }} onKeyDown={keys} aria-label={say("palette.title")} style={{ width: "100%" }} />
            <ul role="listbox" aria-label={say("palette.title")} style={{ listStyle: "none", padding: 0, margin: "8px 0 0" }}>
              {goals.map((goal, index) => (
                <li key={goal.to} role="option" aria-selected={index === at}>
                  <button type="button" className="plain" style={{ padding: "6px 8px", width: "100%", textAlign: "left", background: index === at ? "var(--gsSelected)" : "none" }} onClick={() => go(goal)}>{goal.label}</button>
                </li>
              ))}
            </ul>
            {goals.length === 0 && <p className="note">{say("palette.empty")}</p>}
          </DialogContent>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

function useGoals(isOpen: boolean): Goal[] {
  const say = useSay();
  const places: Goal[] = [
    ["nav.overview", "/"], ["nav.incidents", "/incidents"], ["crumb.alerts", "/alerts"], ["nav.playbooks", "/playbooks"], ["crumb.runs", "/runs"],
    ["crumb.automationRules", "/automation-rules"], ["crumb.runbooks", "/runbooks"], ["nav.containment", "/containment"], ["nav.machines", "/machines"],
    ["nav.logs", "/logs"], ["crumb.analyticsRules", "/analytics-rules"], ["nav.admin", "/admin"],
  ].map(([key, to]) => ({ label: say(key ?? ""), to: to ?? "/" }));
  const { data: incidents } = useQuery({ queryKey: ["incidents"], queryFn: () => dataOf(api.GET("/api/v1/incidents")), enabled: isOpen });
  const { data: runs } = useQuery({ queryKey: ["runs"], queryFn: () => dataOf(api.GET("/api/v1/runs")), enabled: isOpen });
  return [
    ...places,
    ...(incidents ?? []).map((each) => ({ label: `${say("word.incident")} ${each.number}: ${each.title}`, to: `/incidents/${each.incident_id}` })),
    ...(runs ?? []).map((each) => ({ label: `${say("word.run")} ${each.number}: ${each.playbook_name}`, to: `/runs/${each.run_id}` })),
  ];
}

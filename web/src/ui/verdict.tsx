// A state as icon and word; colour never stands alone.
import {
  CheckmarkCircle16Filled, Clock16Regular, DismissCircle16Filled, LinkDismiss16Regular, LockOpen16Regular, PauseCircle16Filled,
  ShieldCheckmark16Filled, SubtractCircle16Regular, Warning16Filled, ArrowSync16Filled,
} from "@fluentui/react-icons";
import type { ReactNode } from "react";
import { useSay } from "./words";

type Tone = "ok" | "warn" | "bad" | "busy" | "hold" | "off";

const SHAPES: Record<string, { tone: Tone; icon: ReactNode }> = {
  running: { tone: "busy", icon: <ArrowSync16Filled /> }, done: { tone: "ok", icon: <CheckmarkCircle16Filled /> },
  proved: { tone: "ok", icon: <ShieldCheckmark16Filled /> }, notProved: { tone: "warn", icon: <Warning16Filled /> },
  waiting: { tone: "hold", icon: <PauseCircle16Filled /> }, failed: { tone: "bad", icon: <DismissCircle16Filled /> },
  skipped: { tone: "off", icon: <SubtractCircle16Regular /> }, queued: { tone: "off", icon: <Clock16Regular /> },
  released: { tone: "off", icon: <LockOpen16Regular /> }, notCut: { tone: "warn", icon: <LinkDismiss16Regular /> },
  notBlocked: { tone: "bad", icon: <DismissCircle16Filled /> }, open: { tone: "warn", icon: <Warning16Filled /> },
  cancelled: { tone: "off", icon: <SubtractCircle16Regular /> }, timedOut: { tone: "bad", icon: <Clock16Regular /> },
};

export function Verdict({ word, text, pill = false }: { word: string; text?: string; pill?: boolean }) {
  const say = useSay();
  const shape = SHAPES[word] ?? { tone: "off" as Tone, icon: <SubtractCircle16Regular /> };
  return (
    <span className={`verdict tone-${shape.tone} ${pill ? "pill" : ""}`}>
      {shape.icon}
      {text ?? say(`word.${word}`)}
    </span>
  );
}

/** The word for a run's or action's status as the engine names it. */
export function wordOfStatus(status: string): string {
  const words: Record<string, string> = {
    Succeeded: "done", Running: "running", Waiting: "waiting", Failed: "failed", Skipped: "skipped", NotRun: "queued", TimedOut: "timedOut",
    Cancelled: "cancelled", Completed: "done", Queued: "queued", New: "queued", Starting: "running", Stopped: "cancelled", Stopping: "running",
  };
  return words[status] ?? "queued";
}

/** The word for one of the three findings of an isolation. */
export function wordOfFinding(name: string, finding: string): string {
  if (finding === "verified") return "proved";
  if (finding === "failed") return name === "live_sessions_cut" ? "notCut" : "notBlocked";
  return "notProved";
}

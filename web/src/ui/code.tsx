// JSON as it is read best: keys, texts and numbers apart; long texts break.
import type { ReactNode } from "react";

export function Code({ value, label }: { value: unknown; label?: string }) {
  const text = value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return <pre className="code" aria-label={label} tabIndex={0}>{coloured(text)}</pre>;
}

const PART = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b/g;

function coloured(text: string): ReactNode[] {
  const found: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(PART)) {
    found.push(text.slice(at, match.index));
    const kind = match[2] !== undefined ? "k" : match[1] !== undefined ? "s" : "n";
    found.push(<span key={match.index} className={kind}>{match[1] ?? match[0]}</span>, match[2] ?? "");
    at = match.index + match[0].length;
  }
  found.push(text.slice(at));
  return found;
}

// A text that is edited as it is, and the way to a place in it.
import { useEffect, useRef } from "react";

/** As our problems name it: both count from 1. */
export interface Place {
  line: number;
  column: number;
}

interface SourceEditorProps {
  label: string;
  value: string;
  change: (value: string) => void;
  /** Whenever this is another object, the caret goes there. */
  place: Place | null;
}

export function SourceEditor({ label, value, change, place }: SourceEditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (place && field.current) putCaret(field.current, place);
  }, [place]);
  return <textarea ref={field} className="source-editor" aria-label={label} wrap="off" spellCheck={false} value={value} onChange={(event) => change(event.target.value)} />;
}

function putCaret(field: HTMLTextAreaElement, { line, column }: Place): void {
  const lines = field.value.split("\n");
  const at = Math.min(line, lines.length) - 1;
  const before = lines.slice(0, at).reduce((sum, each) => sum + each.length + 1, 0);
  // Columns count characters; a text of the browser counts some of them twice.
  const offset = before + [...(lines[at] ?? "")].slice(0, column - 1).join("").length;
  field.focus();
  field.setSelectionRange(offset, offset);
  const height = Number.parseFloat(getComputedStyle(field).lineHeight);
  field.scrollTop = Math.max(0, at * height - field.clientHeight / 2);
}

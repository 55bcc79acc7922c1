// A text to take away: it can be copied with one press, and by hand where the browser gives no clipboard.
import { Button, Field, Input } from "@fluentui/react-components";
import { useRef, useState } from "react";
import { useSay } from "./words";

interface CopyFieldProps {
  label: string;
  value: string;
  /** Whether it takes the focus as it appears. */
  isFirst?: boolean;
}

export function CopyField({ label, value, isFirst = true }: CopyFieldProps) {
  const say = useSay();
  const field = useRef<HTMLInputElement>(null);
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(value);
      setCopied(true);
    } catch {
      setCopied(false); // it is selected: the keys of the system copy it
    }
  };
  return (
    <div className="row copy-field">
      <Field label={label} className="grow"><Input ref={field} readOnly autoFocus={isFirst} value={value} input={{ className: "mono" }} onFocus={(event) => event.currentTarget.select()} /></Field>
      <Button onClick={() => void copy()}>{say("word.copy")}</Button>
      <span role="status" className="tone-ok">{isCopied && say("word.copied")}</span>
    </div>
  );
}

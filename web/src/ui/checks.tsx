// Any number of things out of a list; a long list can be searched, and what is picked stays in sight.
import { Checkbox, Input } from "@fluentui/react-components";
import { useState } from "react";
import { useSay } from "./words";

const LONG = 12;

interface ChecksProps {
  legend: string;
  note?: string;
  options: { value: string; label: string }[];
  picked: string[];
  change: (picked: string[]) => void;
}

export function Checks({ legend, note, options, picked, change }: ChecksProps) {
  const say = useSay();
  const [text, setText] = useState("");
  const shown = options.filter(({ value, label }) => picked.includes(value) || label.toLowerCase().includes(text.toLowerCase()));
  const flip = (value: string, isOn: boolean) => change(isOn ? [...picked, value] : picked.filter((each) => each !== value));
  return (
    <fieldset className="checks">
      <legend>{legend}</legend>
      {note && <p className="note">{note}</p>}
      {options.length > LONG && <Input size="small" type="search" value={text} placeholder={say("checks.find")} aria-label={`${legend}: ${say("checks.find")}`} onChange={(_, data) => setText(data.value)} />}
      <div className="checks-list" tabIndex={options.length > LONG ? 0 : undefined}>
        {shown.map(({ value, label }) => <Checkbox key={value} label={label} checked={picked.includes(value)} onChange={(_, data) => flip(value, data.checked === true)} />)}
      </div>
    </fieldset>
  );
}

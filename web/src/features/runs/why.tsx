// Why this branch: each part of the condition with the value it had, from the innermost out.
import { CheckmarkCircle16Filled, DismissCircle16Filled } from "@fluentui/react-icons";
import { Code } from "../../ui/code";
import { useSay } from "../../ui/words";

interface Explained {
  text?: string;
  operator?: string;
  value?: unknown;
  operands?: Explained[];
  parts?: Explained[];
}

interface Row {
  text: string;
  value: unknown;
  isOperator: boolean;
}

export function Why({ value, title }: { value: unknown; title: string }) {
  const say = useSay();
  const expression = (value as { expression?: Explained | string }).expression;
  const rows = typeof expression === "object" ? rowsOf(expression) : [];
  return (
    <section className="pane-part" aria-label={say("runs.why")}>
      <div className="row"><h3 className="grow">{say("runs.why")}</h3><span className="note">{title}</span></div>
      {rows.length === 0 ? <Code value={value} /> : (
        <table className="grid framed" aria-label={say("runs.why")}>
          <colgroup><col /><col style={{ width: 130 }} /></colgroup>
          <tbody>
            {rows.map((row, index) => (
              <tr key={`${row.text}${index}`}>
                <td className={`mono ${row.isOperator ? "strong" : ""}`} title={row.text}>{row.text}</td>
                <td className="mono">{row.isOperator ? <Held holds={row.value === true} /> : <span className="tone-ok">{JSON.stringify(row.value)}</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Held({ holds }: { holds: boolean }) {
  return <span className={`verdict ${holds ? "tone-ok" : "tone-off"}`}>{holds ? <CheckmarkCircle16Filled /> : <DismissCircle16Filled />}{String(holds)}</span>;
}

function rowsOf(part: Explained): Row[] {
  const inner = [...(part.operands ?? []), ...(part.parts ?? [])];
  if (!part.operator) return [{ text: part.text?.replace(/^@/, "") ?? JSON.stringify(part.value), value: part.value, isOperator: false }];
  const own: Row = { text: `${part.operator}( ${inner.map(() => "…").join(" , ")} )`, value: part.value, isOperator: true };
  const isLoneWrapper = inner.length === 1 && inner[0]?.operator !== undefined;
  return [...inner.flatMap(rowsOf), ...(isLoneWrapper ? [] : [own])];
}

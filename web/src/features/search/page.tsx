// Log search: tables on the left, the query above, rows below; what is wrong is said with its place.
import { Button, Select, Textarea } from "@fluentui/react-components";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { ApiError, type Schemas, api, dataOf } from "../../api/client";
import { useSettled } from "../../ui/settled";
import { Empty } from "../../ui/states";
import { span } from "../../ui/time";
import { useSay } from "../../ui/words";
import { asCsv, download } from "../../ui/csv";

type Answer = Schemas["AnswerOut"];
const FIRST = "Syslog\n| order by TimeGenerated desc\n| take 100";

export function LogsPage() {
  const say = useSay();
  const { q: asked } = useSearch({ strict: false }) as { q?: string };
  const [query, setQuery] = useState(asked ?? FIRST);
  const [hours, setHours] = useState(asked ? "720" : "24"); // a question from another page says itself how far back it looks
  const run = useMutation({ mutationFn: (text: string) => dataOf(api.POST("/api/v1/search", { body: { query: text, hours: Number(hours), parameters: {}, row_limit: 10_000, timeout_seconds: 30 } })) });
  const refusal = run.variables === query ? run.error : null; // of this very query: another text may be right
  useEffect(() => {
    if (asked) run.mutate(asked);
    // Once for the address it was opened with; from then on the reader runs it.
  }, []);
  return (
    <div className="logs">
      <Tables take={(name) => setQuery(`${name}\n| take 100`)} />
      <div className="grow" style={{ minWidth: 0 }}>
        <div className="page-head"><h1 className="grow">{say("logs.title")}</h1>
          <Link to={"/analytics-rules" as never}>{say("arules.title")}</Link>
          <Select value={hours} onChange={(_, data) => setHours(data.value)} aria-label={say("logs.range")}>{["1", "24", "168", "720"].map((each) => <option key={each} value={each}>{say("logs.hours", { count: each })}</option>)}</Select>
          <Button appearance="primary" disabled={run.isPending} onClick={() => run.mutate(query)}>{say("logs.run")}</Button></div>
        <Textarea
          className="mono" style={{ width: "100%" }} rows={7} value={query} aria-label={say("logs.query")} aria-describedby="query-fault" onChange={(_, data) => setQuery(data.value)}
          onKeyDown={(event) => { if (event.shiftKey && event.key === "Enter") { event.preventDefault(); run.mutate(query); } }}
        />
        <Diagnostics query={query} refusal={refusal} />
        {run.data && <Rows answer={run.data} />}
      </div>
    </div>
  );
}

function Tables({ take }: { take: (name: string) => void }) {
  const say = useSay();
  const { data } = useQuery({ queryKey: ["tables"], queryFn: () => dataOf(api.GET("/api/v1/search/tables")), staleTime: 600_000 });
  return (
    <aside className="card logs-tables" aria-label={say("logs.tables")}>
      {(data ?? []).map((table) => (
        <details key={table.name}>
          <summary title={table.meaning}>{table.name}</summary>
          <button type="button" className="plain" style={{ paddingLeft: 18 }} aria-label={say("logs.take", { table: table.name })} onClick={() => take(table.name)}>{say("logs.takeShort")}</button>
          <ul>{table.columns.map((column) => <li key={column.name} title={column.meaning}><span>{column.name}</span> <span className="note">{column.type}</span></li>)}</ul>
        </details>
      ))}
    </aside>
  );
}

interface Fault {
  message: string;
  hint?: string | null;
  line?: number | null;
  column?: number | null;
}

/** What is wrong with the query, said once: our compiler's word as it is typed, else why its run was refused. */
function Diagnostics({ query, refusal }: { query: string; refusal: Error | null }) {
  const say = useSay();
  const settled = useSettled(query);
  const { data } = useQuery({
    queryKey: ["check", settled],
    queryFn: () => dataOf(api.POST("/api/v1/search/check", { body: { query: settled, parameters: {}, row_limit: 1, timeout_seconds: 5 } })),
    enabled: settled.trim() !== "",
  });
  const first: Fault | undefined = data?.[0] ?? faultOf(refusal);
  return (
    <p id="query-fault" className={first ? "field-error" : "note"} role="status" style={{ minHeight: 20, margin: "4px 0 12px" }}>
      {first ? <>{first.line && <span className="mono">{say("playbooks.line", { line: first.line, column: first.column ?? 1 })}: </span>}{first.message}{first.hint && `. ${first.hint}`}</> : say("logs.hint")}
    </p>
  );
}

function faultOf(refusal: Error | null): Fault | undefined {
  if (!refusal) return undefined;
  return refusal instanceof ApiError ? { ...refusal.problem, message: refusal.message } : refusal;
}

function Rows({ answer }: { answer: Answer }) {
  const say = useSay();
  const took = span(answer.elapsed_seconds * 1000);
  if (answer.rows.length === 0) return <Empty text={answer.empty_tables?.length ? say("logs.nothingFills", { tables: answer.empty_tables.join(", ") }) : say("logs.none")} />;
  return (
    <section className="card" aria-label={say("logs.title")}>
      <div className="card-head"><span>{say(answer.is_complete ? "logs.rows" : "logs.cut", { count: answer.rows.length, span: took })}</span><Button size="small" onClick={() => download("rows.csv", asCsv(answer.columns.map((each) => each.name), answer.rows))}>{say("logs.csv")}</Button></div>
      {answer.visualization && answer.visualization !== "table" && <p className="note card-body">{say("logs.asTable", { form: answer.visualization })}</p>}
      <div style={{ overflow: "auto", maxHeight: "60vh" }} tabIndex={0}>
        <table className="grid wide" aria-label={say("logs.title")}>
          <thead><tr>{answer.columns.map((column) => <th key={column.name} scope="col" title={column.type}>{column.name}</th>)}</tr></thead>
          <tbody>{answer.rows.slice(0, 500).map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at} title={textOf(cell)}>{textOf(cell)}</td>)}</tr>)}</tbody>
        </table>
      </div>
    </section>
  );
}

function textOf(cell: unknown): string {
  return cell === null || cell === undefined ? "" : typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

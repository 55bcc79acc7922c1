// What started the run: the trigger with the headers and the body it was given.
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { Code } from "../../ui/code";
import { Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

export function TriggerPane({ run }: { run: Schemas["RunDetail"] }) {
  const say = useSay();
  const now = useNow();
  const title = run.trigger.name.replaceAll("_", " ");
  const asked = useQuery({
    queryKey: ["payload", run.run_id, "trigger"],
    queryFn: () => dataOf(api.GET("/api/v1/runs/{run_id}/payload", { params: { path: { run_id: run.run_id } } })),
  });
  return (
    <aside className="run-pane" aria-label={title} tabIndex={0}>
      <div className="run-head">
        <h2 style={{ fontSize: 18 }}>{title}</h2>
        <div className="facts"><span>{say("runs.trigger")}</span><span>{moment(run.trigger.started_at, now)} UTC</span>{run.trigger.by && <span>{run.trigger.by}</span>}</div>
      </div>
      <div className="card-body"><Shown asked={asked}>{(outputs) => <Outputs value={outputs} />}</Shown></div>
    </aside>
  );
}

function Outputs({ value }: { value: unknown }) {
  const say = useSay();
  const { headers, body } = (value ?? {}) as { headers?: object; body?: unknown };
  const hasHeaders = headers !== undefined && Object.keys(headers).length > 0;
  return (
    <>
      <section aria-label={say("runs.body")}><h3>{say("runs.body")}</h3>{body === undefined || body === null ? <p className="note">{say("runs.nothing")}</p> : <Code value={body} />}</section>
      <section className="pane-part" aria-label={say("runs.headers")}><h3>{say("runs.headers")}</h3>{hasHeaders ? <Code value={headers} /> : <p className="note">{say("runs.nothing")}</p>}</section>
    </>
  );
}

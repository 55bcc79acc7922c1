// One action: input and output side by side, why this branch, what went wrong, the log of its job.
import { Button } from "@fluentui/react-components";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay } from "../../api/session";
import { Code } from "../../ui/code";
import { Refused } from "../../ui/refused";
import { clockTenths, span } from "../../ui/time";
import { Verdict, wordOfFinding, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { type Action, flat, titleOf } from "./actions";
import type { Isolation } from "./proof";
import { Why } from "./why";

type Run = Schemas["RunDetail"];

export function ActionPane({ run, action, isolation }: { run: Run; action: Action; isolation: Isolation | undefined }) {
  const say = useSay();
  return (
    <aside className="run-pane" aria-label={titleOf(action)} tabIndex={0}>
      <div className="run-head">
        <h2 style={{ fontSize: 18 }}>{titleOf(action)}</h2>
        <div className="facts">
          <Verdict word={wordOfStatus(action.status)} /><span>{span(action.milliseconds)}</span>
          {(action.attempt ?? 1) > 1 && <span>{say("runs.attempt", { count: action.attempt ?? 1 })}</span>}
          {action.code && action.code !== "OK" && <span className="mono">{action.code}</span>}
        </div>
      </div>
      <div className="card-body">
        {action.status === "Waiting" && action.error && <p className="lamp">{messageOf(action)}</p>}
        {action.status !== "Waiting" && action.error && <div role="alert" className="run-error"><h3>{say("runs.error")}</h3>{messageOf(action)}</div>}
        {action.status === "Waiting" && action.code === "OutcomeUnknown" && <Unknown run={run} action={action} />}
        <div className="side-by-side">
          <Payload run={run} action={action} part="inputs" title={say("runs.input")} />
          <Payload run={run} action={action} part="outputs" title={say("runs.output")} />
        </div>
        <Reason run={run} action={action} />
        {isolation?.verified_at && action.operation && <Afterwards isolation={isolation} />}
        <JobLog run={run} action={action} />
      </div>
    </aside>
  );
}

function messageOf(action: Action): string {
  return String((action.error as { message?: unknown }).message ?? JSON.stringify(action.error));
}

/** Of a condition its own; of any other the condition it stands in. */
function Reason({ run, action }: { run: Run; action: Action }) {
  const own = action.why === null || action.why === undefined ? undefined : action;
  const condition = own ?? conditionAround(run.actions, action.key);
  if (!condition) return null;
  return <Why value={condition.why} title={titleOf(condition)} />;
}

function conditionAround(actions: Action[], key: string): Action | undefined {
  for (const each of actions) {
    const branch = each.branches?.find((one) => flat(one.actions).some((inner) => inner.key === key));
    if (branch) return conditionAround(branch.actions, key) ?? (each.why ? each : undefined);
  }
  return undefined;
}

const FINDINGS = ["new_connections_blocked", "live_sessions_cut", "metadata_service_blocked"] as const;

function Afterwards({ isolation }: { isolation: Isolation }) {
  const say = useSay();
  return (
    <section className="pane-part" aria-label={say("runs.proof")}>
      <div className="row"><h3 className="grow">{say("runs.proof")}</h3><Link to={`/containment/${isolation.isolation_id}` as never}>{isolation.machine_name}</Link></div>
      <table className="grid framed" aria-label={say("runs.proof")}>
        <colgroup><col /><col style={{ width: 150 }} /></colgroup>
        <tbody>{FINDINGS.map((name) => <tr key={name}><td>{say(`finding.${name}`)}</td><td><Verdict word={wordOfFinding(name, isolation[name])} /></td></tr>)}</tbody>
      </table>
    </section>
  );
}

function Payload({ run, action, part, title }: { run: Run; action: Action; part: "inputs" | "outputs"; title: string }) {
  const say = useSay();
  const hasIt = Boolean(action[part]);
  const { data } = useQuery({
    queryKey: ["payload", run.run_id, action.key, part, action.status],
    queryFn: () => dataOf(api.GET("/api/v1/runs/{run_id}/payload", { params: { path: { run_id: run.run_id }, query: { key: action.key, part } } })),
    enabled: hasIt,
  });
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {hasIt ? <Code value={data} /> : <p className="note">{say("runs.nothing")}</p>}
    </section>
  );
}

function JobLog({ run, action }: { run: Run; action: Action }) {
  const say = useSay();
  const isJob = action.operation?.toLowerCase().includes("create_job") ?? false;
  const { data: jobs } = useQuery({ queryKey: ["job", "of", run.run_id, action.status], queryFn: () => dataOf(api.GET("/api/v1/jobs")), enabled: isJob, refetchInterval: run.ended_at ? false : 2_000 });
  const job = isJob ? jobs?.find((each) => each.run_id === run.run_id) : undefined;
  const { data: lines } = useQuery({
    queryKey: ["job", "streams", job?.job_id, job?.ended_at],
    queryFn: () => dataOf(api.GET("/api/v1/jobs/{job}/streams", { params: { path: { job: job?.job_id ?? "" } } })),
    enabled: Boolean(job),
    refetchInterval: job?.ended_at ? false : 2_000,
    placeholderData: keepPreviousData,
  });
  if (!job) return null;
  return (
    <section className="pane-part" aria-label={say("runs.jobLog")}>
      <div className="row"><h3 className="grow">{say("runs.jobLog")}</h3><Link to={`/jobs/${job.job_id}` as never}>{job.runbook}</Link></div>
      <pre className="code" tabIndex={0}>{(lines ?? []).map((line) => `${clockTenths(line.at)}  ${line.text}\n`).join("")}{job.exception && <span className="tone-bad">{job.exception}</span>}</pre>
    </section>
  );
}

/** After a crash nobody may know whether a call was done: a person says so. */
function Unknown({ run, action }: { run: Run; action: Action }) {
  const say = useSay();
  const mayDecide = useMay("responder");
  const queries = useQueryClient();
  const decide = useAct({
    mutationFn: (choice: "done" | "again" | "failed") => dataOf(api.POST("/api/v1/runs/{run_id}/decision", { params: { path: { run_id: run.run_id } }, body: { key: action.key, choice } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["run"] }),
  });
  return (
    <div className="lamp" style={{ marginBottom: 12 }}>
      <p>{say("runs.unknown")}</p>
      {mayDecide && <div className="row">
        <button type="button" className="signal" onClick={() => decide.mutate("done")}>{say("runs.wasDone")}</button>
        <Button onClick={() => decide.mutate("again")}>{say("runs.again")}</Button>
        <Button onClick={() => decide.mutate("failed")}>{say("runs.didFail")}</Button>
      </div>}
      <Refused error={decide.error} />
    </div>
  );
}

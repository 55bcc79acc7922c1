// One job: what it was given, the walls it had and the limits that held, its streams.
import { Button } from "@fluentui/react-components";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { Code } from "../../ui/code";
import { useCrumb } from "../../ui/crumb";
import { Shown } from "../../ui/states";
import { clockTenths, moment } from "../../ui/time";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";

export function JobPage() {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const asked = useQuery({
    queryKey: ["job", id],
    queryFn: () => dataOf(api.GET("/api/v1/jobs/{job}", { params: { path: { job: id } } })),
    refetchInterval: (query) => (query.state.data?.ended_at ? false : 1_000),
  });
  return <Shown asked={asked} rows={6}>{(job) => <Body job={job} />}</Shown>;
}

function Body({ job }: { job: Schemas["JobOut"] }) {
  const say = useSay();
  const now = useNow();
  useCrumb(job.runbook);
  const queries = useQueryClient();
  const mayStop = useMay("responder");
  const { data: lines } = useQuery({
    queryKey: ["job", "streams", job.job_id, job.ended_at],
    queryFn: () => dataOf(api.GET("/api/v1/jobs/{job}/streams", { params: { path: { job: job.job_id } } })),
    refetchInterval: job.ended_at ? false : 1_000, // and once more at its end
    placeholderData: keepPreviousData,
  });
  const stop = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/jobs/{job}/stop", { params: { path: { job: job.job_id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["job"] }),
  });
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{job.runbook}</h1><div className="facts"><Verdict word={wordOfStatus(job.status)} /><span className="mono">{job.job_id}</span><span>{job.actor}</span><span>{moment(job.created_at, now)} UTC</span><span>{say("runs.attempt", { count: job.attempt })}</span>
          {job.run_id && <Link to={`/runs/${job.run_id}` as never}>{say("word.run")}</Link>}</div></div>
        {mayStop && !job.ended_at && <Button onClick={() => stop.mutate()}>{say("jobs.stop")}</Button>}
      </div>
      {job.exception && <div className="run-error" role="alert">{job.exception}</div>}
      <div className="columns incident">
        <section className="card card-body"><h2>{say("jobs.streams")}</h2>
          <pre className="code" tabIndex={0}>{(lines ?? []).map((line) => <span key={line.stream_id} className={line.kind === "Error" ? "tone-bad" : ""}>{clockTenths(line.at)}  {line.kind.padEnd(8)} {line.text}{"\n"}</span>)}</pre></section>
        <div>
          <section className="card card-body"><h2>{say("runbooks.parameters")}</h2><Code value={job.parameters} /></section>
          <section className="card card-body"><h2>{say("jobs.walls")}: {job.walls ?? say("word.none")}</h2><h3>{say("jobs.limits")}</h3><ul>{job.limits_held.map((each) => <li key={each}>{each}</li>)}</ul></section>
        </div>
      </div>
    </>
  );
}

// Runbooks with the parameters read from their scripts, and the jobs that ran.
import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { moment, span } from "../../ui/time";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { NewRunbookDialog } from "./new-runbook-dialog";
import { standingOf } from "./script";

type Job = Schemas["JobOut"];
type Runbook = Schemas["RunbookOut"];

export function RunbooksPage() {
  const say = useSay();
  const now = useNow();
  const navigate = useNavigate();
  const isAdmin = useMay("admin");
  const [isAdding, setAdding] = useState(false);
  const runbooks = useQuery({ queryKey: ["runbooks"], queryFn: () => dataOf(api.GET("/api/v1/runbooks")) });
  const jobs = useQuery({ queryKey: ["job", "list"], queryFn: () => dataOf(api.GET("/api/v1/jobs")) });
  const runbookColumns: Column<Runbook>[] = [
    { key: "name", title: say("word.name"), cell: (each) => <span className="strong">{each.name}</span> },
    { key: "kind", title: say("runbooks.kind"), width: 120, cell: (each) => each.kind },
    { key: "state", title: say("word.state"), width: 400, cell: (each) => standingOf(each, say).join(" · ") },
    { key: "parameters", title: say("runbooks.parameters"), cell: (each) => <span className="mono">{each.parameters.map((one) => `${one.name}: ${one.kind}`).join(", ")}</span> },
  ];
  const jobColumns: Column<Job>[] = [
    { key: "status", title: say("word.status"), width: 140, keep: true, cell: (each) => <Verdict word={wordOfStatus(each.status)} /> },
    { key: "runbook", title: say("jobs.runbook"), cell: (each) => <span className="strong">{each.runbook}</span> },
    { key: "actor", title: say("word.by"), cell: (each) => each.actor },
    { key: "walls", title: say("jobs.walls"), width: 130, cell: (each) => each.walls },
    { key: "created", title: say("jobs.created"), width: 140, cell: (each) => <span className="mono">{moment(each.created_at, now)}</span> },
    { key: "duration", title: say("word.duration"), width: 100, isNumber: true, cell: (each) => (each.ended_at && each.started_at ? span(new Date(each.ended_at).getTime() - new Date(each.started_at).getTime()) : "") },
  ];
  return (
    <>
      <div className="page-head"><h1 className="grow">{say("runbooks.title")}</h1>{isAdmin && <Button appearance="primary" onClick={() => setAdding(true)}>{say("runbooks.new")}</Button>}</div>
      <Shown asked={runbooks} rows={3}>{(found) => (found.length === 0 ? <Empty text={say("runbooks.none")} /> : <div className="card"><Grid label={say("runbooks.title")} columns={runbookColumns} rows={found} idOf={(each) => each.name} open={(each) => void navigate({ to: `/runbooks/${encodeURIComponent(each.name)}` as never })} /></div>)}</Shown>
      <h2 style={{ margin: "24px 0 12px" }}>{say("runbooks.jobs")}</h2>
      <Shown asked={jobs} rows={4}>{(found) => (found.length === 0 ? <Empty text={say("runbooks.noJobs")} /> : <div className="card"><Grid label={say("runbooks.jobs")} columns={jobColumns} rows={found} idOf={(each) => each.job_id} open={(each) => void navigate({ to: `/jobs/${each.job_id}` as never })} /></div>)}</Shown>
      {isAdding && <NewRunbookDialog close={() => setAdding(false)} />}
    </>
  );
}

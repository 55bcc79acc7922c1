// Runs: the list stays on the left, the path taken in the middle, one click gives input and output side by side.
import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useHeldBack } from "../../api/news";
import { useMay, useNow } from "../../api/session";
import { Empty, Loading, Shown } from "../../ui/states";
import { moment, span } from "../../ui/time";
import { useCrumb } from "../../ui/crumb";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { type Action, TRIGGER, flat, titleOf } from "./actions";
import { ActionPane } from "./action-pane";
import { type Isolation, useIsolationsOfRuns, wordOfRun } from "./proof";
import { TimeBars } from "./time-bars";
import { TriggerPane } from "./trigger-pane";

type Run = Schemas["RunOut"];
const loaded = import("./graph"); // on its way while the run itself is asked for
const CancelDialog = lazy(() => import("./cancel-dialog").then((module) => ({ default: module.CancelDialog })));
const RunGraph = lazy(() => loaded.then((module) => ({ default: module.RunGraph })));

export function RunsPage() {
  return <RunPage />;
}

export function RunPage() {
  const asked = useQuery({ queryKey: ["runs"], queryFn: () => dataOf(api.GET("/api/v1/runs")) });
  const { id } = useParams({ strict: false }) as { id?: string };
  if (id) return <Body runs={asked.data ?? []} id={id} />; // a run does not wait for the list of all
  return <Shown asked={asked} rows={8}>{(runs) => <Body runs={runs} id={id ?? runs[0]?.run_id} />}</Shown>;
}

function Body({ runs, id }: { runs: Run[]; id: string | undefined }) {
  const say = useSay();
  if (runs.length === 0 && !id) return <><h1>{say("runs.title")}</h1><Empty text={say("runs.none")} /></>;
  return (
    <div className="run-page">
      <List runs={runs} id={id} />
      {id ? <Chosen key={id} id={id} /> : <div />}
    </div>
  );
}

function List({ runs, id }: { runs: Run[]; id: string | undefined }) {
  const say = useSay();
  const now = useNow();
  const held = useHeldBack(["run"], "runs");
  const isolations = useIsolationsOfRuns();
  const machines = useMachinesOfRuns(runs, isolations);
  return (
    <aside className="run-list" aria-label={say("runs.title")}>
      <div className="card-head"><h2>{say("runs.title")}</h2><span className="note">{say("runs.all")}</span></div>
      {held.count > 0 && <div className="held" role="status">{say("news.waiting", { count: held.count })}<span className="grow" /><button type="button" className="plain" onClick={held.show}>{say("news.show")}</button></div>}
      <ul>
        {runs.map((run) => (
          <li key={run.run_id}>
            <Link to={`/runs/${run.run_id}` as never} aria-current={run.run_id === id ? "true" : undefined}>
              <span className="row"><span className="strong">{run.number}</span><span className="grow cut">{machines.get(run.run_id) ?? run.playbook_name}</span><Verdict word={wordOfRun(run, isolations.get(run.run_id))} /></span>
              <span className="row note"><span>{moment(run.accepted_at, now)}</span><span className="grow cut">{machines.has(run.run_id) ? run.playbook_name : ""}</span><span>{span(run.milliseconds)}</span></span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="card-body note">{say("grid.count", { count: runs.length })}</p>
    </aside>
  );
}

/** The machine a run was about: the one it isolated, else the one its alert names. */
function useMachinesOfRuns(runs: Run[], isolations: Map<string, Isolation>): Map<string, string> {
  const { data } = useQuery({ queryKey: ["alerts"], queryFn: () => dataOf(api.GET("/api/v1/alerts")), staleTime: 60_000 });
  const named = new Map((data ?? []).map((each) => [each.alert_id, each.compromised_entity]));
  return new Map(runs.flatMap((run) => {
    const machine = isolations.get(run.run_id)?.machine_name ?? named.get(run.alert_id ?? "");
    return machine ? [[run.run_id, machine] as const] : [];
  }));
}

function Chosen({ id }: { id: string }) {
  const asked = useQuery({
    queryKey: ["run", id],
    queryFn: () => dataOf(api.GET("/api/v1/runs/{run_id}", { params: { path: { run_id: id } } })),
    refetchInterval: (query) => (query.state.data?.ended_at ? false : 2_000),
  });
  return <Shown asked={asked} rows={8}>{(run) => <View run={run} />}</Shown>;
}

function View({ run }: { run: Schemas["RunDetail"] }) {
  const say = useSay();
  const now = useNow();
  const navigate = useNavigate();
  const mayCancel = useMay("responder");
  const [isCancelling, setCancelling] = useState(false);
  const { action, view } = useSearch({ strict: false }) as { action?: string; view?: string };
  const isolation = useIsolationsOfRuns().get(run.run_id);
  useCrumb(`${say("word.run")} ${run.number}`);
  const actions = flat(run.actions);
  const chosen = action === TRIGGER ? undefined : (actions.find((each) => each.key === action) ?? firstOfInterest(actions));
  const key = chosen?.key ?? TRIGGER;
  const show = (search: { action: string; view?: string }) => void navigate({ to: `/runs/${run.run_id}` as never, search: search as never, replace: true });
  const choose = (wanted: string) => show({ action: wanted });
  const showsPane = action !== undefined && view !== "graph"; // where there is no room for both
  return (
    <div className={`run-chosen ${showsPane ? "shows-pane" : ""}`}>
      <div className="run-middle">
        <div className="run-head">
          <div className="row"><h1>{say("word.run")} {run.number}</h1><Verdict word={wordOfRun(run, isolation)} pill /><span className="grow" />
            {mayCancel && !run.ended_at && <Button size="small" onClick={() => setCancelling(true)}>{say("runs.cancel")}</Button>}</div>
          <div className="facts one-line"><span>{moment(run.accepted_at, now)}{run.milliseconds !== null && `, ${span(run.milliseconds)}`}</span><Link to={`/playbooks/${run.playbook_id}` as never}>{run.playbook_name}</Link>
            {run.alert_id && <Link to={`/alerts/${run.alert_id}` as never}>{say("word.alert")}</Link>}{run.trigger.by && <span>{run.trigger.by}</span>}</div>
        </div>
        <div className="run-tabs segmented" role="group" aria-label={say("graph.view")}>
          <button type="button" aria-pressed={!showsPane} onClick={() => show({ action: key, view: "graph" })}>{say("runs.graph")}</button>
          <button type="button" aria-pressed={showsPane} onClick={() => choose(key)}>{chosen ? titleOf(chosen) : say("runs.trigger")}</button>
        </div>
        <div className="run-graph"><Suspense fallback={<Loading />}><RunGraph run={run} chosen={key} choose={choose} /></Suspense></div>
        <TimeBars run={run} actions={actions} chosen={key} choose={choose} />
      </div>
      {chosen ? <ActionPane run={run} action={chosen} isolation={isolation} /> : <TriggerPane run={run} />}
      {isCancelling && <Suspense fallback={null}><CancelDialog run={run} close={() => setCancelling(false)} /></Suspense>}
    </div>
  );
}

/** A failure first, then what waits, then the first action with an effect. */
function firstOfInterest(actions: Action[]): Action | undefined {
  return actions.find((each) => each.status === "Failed" && !each.branches) ?? actions.find((each) => each.status === "Waiting") ?? actions.find((each) => each.operation && each.status !== "Skipped") ?? actions[0];
}

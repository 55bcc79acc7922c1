// One runbook: its draft and what is published, its parameters, whether its jobs have the network, its versions.
import { Button, Switch } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { useCrumb } from "../../ui/crumb";
import { ProblemList } from "../../ui/problem-list";
import { Refused } from "../../ui/refused";
import type { Place } from "../../ui/source-editor";
import { Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";
import { Script, keptOf, standingOf } from "./script";
import { StartDialog } from "./start-dialog";

type Runbook = Schemas["RunbookDetail"];

export function RunbookPage() {
  const { name = "" } = useParams({ strict: false }) as { name?: string };
  const asked = useQuery({ queryKey: ["runbooks", name], queryFn: () => dataOf(api.GET("/api/v1/runbooks/{name}", { params: { path: { name } } })) });
  return <Shown asked={asked} rows={8}>{(found) => <Body key={found.name} runbook={found} />}</Shown>;
}

function Body({ runbook }: { runbook: Runbook }) {
  const say = useSay();
  useCrumb(runbook.name);
  const queries = useQueryClient();
  const isAdmin = useMay("admin");
  const mayStart = useMay("responder");
  const [isStarting, setStarting] = useState(false);
  const [place, setPlace] = useState<Place | null>(null);
  const [text, setText] = useState<string | null>(null);
  const isDirty = text !== null && text !== keptOf(runbook);
  const publish = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/runbooks/{name}/publish", { params: { path: { name: runbook.name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["runbooks"] }),
  });
  const problems = runbook.draft_problem ? [{ ...runbook.draft_problem, message: runbook.draft_problem.detail }] : [];
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{runbook.name}</h1>
          <div className="facts"><span>{runbook.kind}</span>{standingOf(runbook, say).map((each) => <span key={each}>{each}</span>)}</div></div>
        {isAdmin && runbook.draft !== null && <Button disabledFocusable={isDirty || problems.length > 0 || publish.isPending} onClick={() => publish.mutate()}>{say("playbooks.publish")}</Button>}
        {mayStart && runbook.published_version !== null && <Button appearance="primary" onClick={() => setStarting(true)}>{say("runbooks.start")}</Button>}
      </div>
      <Refused error={publish.error} />
      <div className="columns incident">
        <Script runbook={runbook} place={place} typed={{ text, set: setText }} />
        <div>
          {runbook.draft !== null && (
            <section className="card" aria-labelledby="problems"><div className="card-head"><h2 id="problems">{say("playbooks.problems")}</h2></div>
              <div role="status"><ProblemList problems={problems} goTo={isAdmin ? (wanted) => setPlace({ ...wanted }) : undefined} /></div></section>
          )}
          <Parameters runbook={runbook} />
          <Network runbook={runbook} mayChange={isAdmin} />
          <Versions runbook={runbook} />
        </div>
      </div>
      {isStarting && <StartDialog runbook={runbook} close={() => setStarting(false)} />}
    </>
  );
}

function Parameters({ runbook }: { runbook: Runbook }) {
  const say = useSay();
  return (
    <section className="card" aria-labelledby="parameters">
      <div className="card-head"><h2 id="parameters">{say("runbooks.parameters")}</h2></div>
      {runbook.parameters.length === 0 && <p className="card-body note">{say(runbook.published_version === null ? "runbooks.parametersLater" : "runbooks.noParameters")}</p>}
      {runbook.parameters.map((each) => (
        <div key={each.name} className="card-body"><span className="strong">{each.name}</span> <span className="mono">{each.kind}</span>{each.is_mandatory && <span className="note"> {say("runbooks.mandatory")}</span>}
          {each.choices.length > 0 && <div className="note">{each.choices.join(", ")}</div>}{each.help && <div>{each.help}</div>}</div>
      ))}
    </section>
  );
}

function Network({ runbook, mayChange }: { runbook: Runbook; mayChange: boolean }) {
  const say = useSay();
  const queries = useQueryClient();
  const grant = useAct({
    mutationFn: (has_network: boolean) => dataOf(api.PUT("/api/v1/runbooks/{name}/network", { params: { path: { name: runbook.name } }, body: { has_network } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["runbooks"] }),
  });
  const words = say(runbook.has_network ? "runbooks.hasNetwork" : "runbooks.noNetwork");
  return (
    <section className="card card-body" aria-labelledby="network">
      <h2 id="network">{say("runbooks.network")}</h2>
      {mayChange ? <Switch checked={runbook.has_network} label={words} onChange={(_, data) => grant.mutate(data.checked)} /> : <p>{words}</p>}
      <Refused error={grant.error} />
    </section>
  );
}

function Versions({ runbook }: { runbook: Runbook }) {
  const say = useSay();
  const now = useNow();
  return (
    <section className="card" aria-labelledby="versions">
      <div className="card-head"><h2 id="versions">{say("playbooks.versions")}</h2></div>
      {runbook.versions.length === 0 && <p className="card-body note">{say("playbooks.noVersions")}</p>}
      {runbook.versions.map((each) => <div key={each.number} className="card-body row"><span className="strong">{each.number}</span><span className="grow">{each.published_by}</span><span className="mono">{moment(each.published_at, now)}</span></div>)}
    </section>
  );
}

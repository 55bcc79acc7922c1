// One timeline, newest first: alerts as tinted circles, changes as outlined ones, our own acts as teal squares.
import { Alert16Regular, Comment16Regular, Flow16Regular, Person16Regular, PlugDisconnected16Regular } from "@fluentui/react-icons";
import { Button, Input } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment, type ReactNode, useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { Refused } from "../../ui/refused";
import { clock, dayOf, isSameDay } from "../../ui/time";
import { Severity } from "../../ui/severity";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Entry = Schemas["EntryOut"];
type Incident = Schemas["IncidentDetail"];

const MARKS: Record<string, { icon: ReactNode; shape: string }> = {
  alert: { icon: <Alert16Regular />, shape: "alert" }, run: { icon: <Flow16Regular />, shape: "act" },
  containment: { icon: <PlugDisconnected16Regular />, shape: "act" }, comment: { icon: <Comment16Regular />, shape: "event" },
  change: { icon: <Person16Regular />, shape: "event" },
};
const SHAPES = ["alert", "event", "act"];
const VERDICTS: Record<string, string> = { Proved: "proved", "Not proved": "notProved", Waiting: "waiting", Released: "released" };

export function Timeline({ incident }: { incident: Incident }) {
  const say = useSay();
  const mayAct = useMay("responder");
  const now = useNow();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const all = [...incident.timeline].sort((left, right) => right.at.localeCompare(left.at) || right.entry_id.localeCompare(left.entry_id));
  const entries = all.filter((entry) => !hidden.has(shapeOf(entry)));
  const toggle = (shape: string) => setHidden(new Set(hidden.has(shape) ? [...hidden].filter((each) => each !== shape) : [...hidden, shape]));
  return (
    <section className="card" aria-labelledby="timeline">
      <div className="card-head"><h2 id="timeline">{say("incidents.timeline")}</h2><span className="note">{say("incidents.newest")}</span><span className="grow" />
        {SHAPES.map((shape) => (
          <button key={shape} type="button" className="filter" aria-pressed={!hidden.has(shape)} onClick={() => toggle(shape)}>
            {say(`incidents.filter.${shape}`)} {all.filter((entry) => shapeOf(entry) === shape).length}
          </button>
        ))}
      </div>
      {byDay(entries).map(([day, those]) => (
        <Fragment key={day}>
          {!isSameDay(day, now) && <h3 className="day">{dayOf(day)}</h3>}
          <ol className="timeline">{those.map((entry) => <Line key={entry.entry_id} entry={entry} incident={incident} />)}</ol>
        </Fragment>
      ))}
      {mayAct && <AddComment incident={incident} />}
    </section>
  );
}

/** Entries in their order, each day under its date. */
function byDay(entries: Entry[]): [string, Entry[]][] {
  const days = new Map<string, Entry[]>();
  for (const entry of entries) {
    const day = entry.at.slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return [...days];
}

function shapeOf(entry: Entry): string {
  return MARKS[entry.kind]?.shape ?? "event";
}

function Line({ entry, incident }: { entry: Entry; incident: Incident }) {
  const say = useSay();
  const mark = MARKS[entry.kind] ?? { icon: <Person16Regular />, shape: "event" };
  const alert = incident.alerts.find((each) => each.alert_id === entry.details?.alert_id);
  return (
    <li>
      <span className="mono">{clock(entry.at)}</span>
      <span className={`mark ${mark.shape} ${alert ? alert.severity : ""}`}>{mark.icon}</span>
      <span className={mark.shape === "event" ? "grow quiet" : "grow"}>
        {alert ? <><Link to={`/alerts/${alert.alert_id}` as never} className="strong">{alert.title}</Link><br /><span className="quiet">{alert.description}</span></> : entry.text}
      </span>
      <span className="note source">{sourceOf(entry, incident, alert?.techniques?.[0], say("word.run"))}</span>
      <span className="verdict-cell">{alert ? <Severity value={alert.severity} /> : entry.verdict && <Verdict word={VERDICTS[entry.verdict] ?? wordOfStatus(entry.verdict)} />}</span>
    </li>
  );
}

/** A technique for an alert, the run for an act of one, else whoever said it. */
function sourceOf(entry: Entry, incident: Incident, technique: string | undefined, word: string): ReactNode {
  if (technique) return <span className="mono">{technique}</span>;
  const run = incident.runs.find((each) => each.run_id === entry.details?.run_id);
  const isPerson = entry.source !== "" && !/^run \d+$/i.test(entry.source);
  if (run && !isPerson) return <Link to={`/runs/${run.run_id}` as never}>{word} {run.number}</Link>;
  return entry.source;
}

function AddComment({ incident }: { incident: Incident }) {
  const say = useSay();
  const queries = useQueryClient();
  const [text, setText] = useState("");
  const add = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/incidents/{incident_id}/comments", { params: { path: { incident_id: incident.incident_id } }, body: { text } })),
    onSuccess: () => {
      setText("");
      void queries.invalidateQueries({ queryKey: ["incident"] });
    },
  });
  return (
    <form className="card-body" onSubmit={(event) => { event.preventDefault(); if (text.trim()) add.mutate(); }}>
      <div className="row">
        <Input className="grow" value={text} onChange={(_, data) => setText(data.value)} aria-label={say("incidents.comment")} placeholder={say("incidents.comment")} />
        <Button type="submit" disabled={!text.trim() || add.isPending}>{say("incidents.add")}</Button>
      </div>
      <Refused error={add.error} />
    </form>
  );
}

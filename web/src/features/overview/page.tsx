// What needs me now: the lamp, the queue, what is in force, and how the past day went.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow, useSession } from "../../api/session";
import { isOf } from "../../api/waiting";
import { Ship } from "../../ui/ship";
import { Shown } from "../../ui/states";
import { dayOf, moment, since, span } from "../../ui/time";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { FirstRun } from "./first-run";
import { Evidence } from "./evidence";
import { Hours, Legend } from "./hours";
import { InForce } from "./in-force";
import { AlsoOpen, Queue, hasLamp, inLine } from "./queue";

type Overview = Schemas["OverviewOut"];

export function OverviewPage() {
  const asked = useQuery({ queryKey: ["overview"], queryFn: () => dataOf(api.GET("/api/v1/overview")), refetchInterval: 30_000 });
  return <Shown asked={asked} rows={8}>{(found) => (found.is_first_run ? <FirstRun /> : <Body found={found} />)}</Shown>;
}

function Body({ found }: { found: Overview }) {
  const say = useSay();
  const now = useNow();
  const { me } = useSession();
  const mayAnswer = useMay("responder");
  const mine = found.approvals.filter((each) => mayAnswer && !isOf(each, me));
  const needs = { ...found, approvals: mine };
  const line = inLine(needs);
  const count = line.length + (hasLamp(needs) ? 1 : 0);
  const title = count === 0 ? say("overview.quiet") : say("overview.needs", { count });
  return (
    <>
      <div className="page-head">
        <div className="grow">
          <h1>{title}</h1>
          <div className="facts"><span>{dayOf(now)}</span></div>
        </div>
      </div>
      <div className="columns overview">
        <div>
          <Lamp found={needs} now={now} />
          <Queue rows={line} now={now} />
          <AlsoOpen found={found} approvals={found.approvals.filter((each) => !mine.includes(each))} now={now} />
          <section className="card" aria-labelledby="hours">
            <div className="card-head"><h2 id="hours">{say("overview.alertsByHour")}</h2><Legend /></div>
            <div className="card-body"><Hours hours={found.alerts_by_hour} /></div>
          </section>
        </div>
        <div>
          <InForce isolations={found.containments} now={now} />
          <Runs found={found} />
          <Response found={found} />
        </div>
      </div>
    </>
  );
}

/** One thing is lit: the first session that lives on, else the first approval. */
function Lamp({ found, now }: { found: Overview; now: Date }) {
  const say = useSay();
  const open = found.not_cut[0];
  const approval = found.approvals[0];
  if (open) {
    const lives = open.live_sessions_cut === "failed";
    return (
      <section className="lamp" aria-label={say(lives ? "overview.liveSession" : "overview.notClosed")}>
        <span className="lamp-label"><Ship size={18} /> <b>{say(lives ? "overview.liveSession" : "overview.notClosed")}</b> {say("overview.waiting", { span: since(open.opened_at, now) })}</span>
        <h2>{say(lives ? "overview.stillConnected" : "overview.notBlocked", { machine: open.machine_name })}</h2>
        {lives && <p className="quiet">{say("overview.stillConnectedNote", { machine: open.machine_name, time: moment(open.opened_at, now) })}</p>}
        <Evidence id={open.isolation_id} opened={open.opened_at} now={now} />
        <div className="row wrap">
          <Link to={`/containment/${open.isolation_id}` as never} className="signal">{say("overview.openContainment")}</Link>
          {open.incident_id && <Link to={`/incidents/${open.incident_id}` as never} className="quiet-button">{say("overview.openIncident")}</Link>}
          <span className="note">{say("overview.lampNote")}</span>
        </div>
      </section>
    );
  }
  if (!approval) return null;
  return (
    <section className="lamp" aria-label={say("overview.approvalLabel")}>
      <span className="lamp-label"><Ship size={18} /> <b>{say("overview.approvalLabel")}</b> {say("overview.expires", { span: span(new Date(approval.expires_at).getTime() - now.getTime()) })}</span>
      <h2>{approval.title}</h2>
      <p className="quiet">{say("admin.askedBy", { who: approval.asked_by })}</p>
      <Link to={"/admin" as never} search={{ tab: "approvals" } as never} className="signal">{say("word.review")}</Link>
    </section>
  );
}

function Runs({ found }: { found: Overview }) {
  const say = useSay();
  return (
    <section className="card" aria-labelledby="runs">
      <div className="card-head"><h2 id="runs">{say("overview.runs")}</h2><Link to={"/runs" as never}>{say("word.all")}</Link></div>
      <div className="card-body figures">
        {Object.entries(found.run_counts).map(([status, count]) => (
          <div key={status}><div className="figure">{count}</div><Verdict word={wordOfStatus(status)} /></div>
        ))}
        {Object.keys(found.run_counts).length === 0 && <span className="note">{say("word.none")}</span>}
      </div>
    </section>
  );
}

function Response({ found }: { found: Overview }) {
  const say = useSay();
  const { detect_seconds: detect, contain_seconds: contain, proved_percent: proved } = found.response;
  return (
    <section className="card" aria-labelledby="response">
      <div className="card-head"><h2 id="response">{say("overview.response")}</h2></div>
      <div className="card-body figures">
        <div><div className="figure">{detect === null ? "–" : span(detect * 1000)}</div><span className="note">{say("overview.detect")}</span></div>
        <div><div className="figure">{contain === null ? "–" : span(contain * 1000)}</div><span className="note">{say("overview.contain")}</span></div>
        <div><div className="figure">{proved === null ? "–" : `${Math.round(proved)} %`}</div><span className="note">{say("overview.proved")}</span></div>
      </div>
    </section>
  );
}

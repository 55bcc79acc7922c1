// When each action ran and for how long, as bars on one line of time.
import type { Schemas } from "../../api/client";
import { span } from "../../ui/time";
import { useSay } from "../../ui/words";
import { type Action, CONTAINERS, titleOf } from "./actions";

interface TimeBarsProps {
  run: Schemas["RunDetail"];
  actions: Action[];
  chosen: string | undefined;
  choose: (key: string) => void;
}

export function TimeBars({ run, actions, chosen, choose }: TimeBarsProps) {
  const say = useSay();
  const ran = actions.filter((each) => each.started_at && each.status !== "Skipped" && !CONTAINERS.has(each.type));
  const start = new Date(run.started_at ?? run.accepted_at).getTime();
  const end = Math.max(...ran.map((each) => new Date(each.ended_at ?? each.started_at ?? 0).getTime()), start + 1);
  const share = (at: number) => (100 * (at - start)) / (end - start);
  return (
    <section className="time-bars" aria-label={say("runs.time")}>
      <div className="row" style={{ padding: "8px 16px" }}><h2>{say("runs.time")}</h2></div>
      {ran.map((each) => {
        const from = new Date(each.started_at ?? 0).getTime();
        const to = new Date(each.ended_at ?? end).getTime();
        return (
          <button key={each.key} type="button" className="time-bar" aria-pressed={each.key === chosen} onClick={() => choose(each.key)}>
            <span className="cut">{titleOf(each)}</span>
            <span className="bar grow"><i style={{ marginLeft: `${share(from)}%`, width: `${Math.max(0.5, share(to) - share(from))}%` }} /></span>
            <span className="right">{span(each.milliseconds)}</span>
          </button>
        );
      })}
    </section>
  );
}

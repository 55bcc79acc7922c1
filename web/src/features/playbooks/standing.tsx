// What starts this playbook by itself: when it is due, what was missed, and the switch. Publishing never turns it on.
import { Button } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { AskDialog } from "../../ui/ask-dialog";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

type Playbook = Schemas["PlaybookDetail"];
type Trigger = Schemas["PlaybookTriggerOut"];

export function Standing({ playbook }: { playbook: Playbook }) {
  const say = useSay();
  const isAdmin = useMay("admin");
  const [isAsking, setAsking] = useState(false);
  const triggers = playbook.triggers.filter((each) => each.starts_by_itself);
  if (triggers.length === 0) return null;
  const isOn = triggers.some((each) => each.is_on);
  return (
    <section className="card" aria-labelledby="standing">
      <div className="card-head">
        <h2 id="standing" className="grow">{say("playbooks.standing")}</h2>
        {isAdmin && <Button size="small" onClick={() => setAsking(true)}>{say(isOn ? "playbooks.switchOff" : "playbooks.switchOn")}</Button>}
      </div>
      {triggers.map((each) => <State key={each.name} trigger={each} />)}
      {isAsking && <SwitchDialog playbook={playbook} isOn={isOn} close={() => setAsking(false)} />}
    </section>
  );
}

function State({ trigger }: { trigger: Trigger }) {
  const say = useSay();
  const now = useNow();
  return (
    <div className="card-body">
      <div className="row"><span className="strong grow">{trigger.name}</span><span>{say(trigger.is_on ? "playbooks.isOn" : "playbooks.isOff")}</span></div>
      <p className="note">
        {trigger.kind}
        {trigger.due_at && <> · {say("playbooks.due", { time: moment(trigger.due_at, now) })}</>}
        {trigger.last_fired_at && <> · {say("playbooks.lastFired", { time: moment(trigger.last_fired_at, now) })}</>}
      </p>
      {trigger.missed_at && <p className="note">{say("playbooks.missed", { count: trigger.missed_count, time: moment(trigger.missed_at, now) })}</p>}
      {trigger.problem && <p className="note" role="status">{say("playbooks.notFired", { reason: trigger.problem })}</p>}
    </div>
  );
}

function SwitchDialog({ playbook, isOn, close }: { playbook: Playbook; isOn: boolean; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const { playbook_id, name } = playbook;
  const path = { params: { path: { playbook_id } } };
  const change = useAct({
    mutationFn: () => dataOf(isOn ? api.POST("/api/v1/playbooks/{playbook_id}/switch-off", path) : api.POST("/api/v1/playbooks/{playbook_id}/switch-on", path)),
    onSuccess: () => {
      close();
      void queries.invalidateQueries({ queryKey: ["playbooks"] });
    },
  });
  return (
    <AskDialog title={say(isOn ? "playbooks.switchOffTitle" : "playbooks.switchOnTitle", { name })} act={say(isOn ? "playbooks.switchOff" : "playbooks.switchOn")} keep={say("playbooks.leaveAsIs")} sending={change} go={() => change.mutate()} close={close}>
      <p>{say(isOn ? "playbooks.switchOffNote" : "playbooks.switchOnNote")}</p>
    </AskDialog>
  );
}

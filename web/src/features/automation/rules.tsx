// Automation rules: off until switched on; each shows what it would have caught in the past 30 days.
import { Button, Switch } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../../api/act";
import { api, dataOf } from "../../api/client";
import { useMay } from "../../api/session";
import { AskDialog } from "../../ui/ask-dialog";
import { FormDialog } from "../../ui/form-dialog";
import { Refused } from "../../ui/refused";
import { Empty, Shown } from "../../ui/states";
import { useSay } from "../../ui/words";
import { type Rule, useCaught, useWordsOf } from "./conditions";
import { RuleDialog } from "./rule-dialog";

type Asking = { kind: "arm" | "edit" | "remove"; rule: Rule } | { kind: "new" } | null;

export function AutomationRulesPage() {
  const say = useSay();
  const isAdmin = useMay("admin");
  const [asking, setAsking] = useState<Asking>(null);
  const asked = useQuery({ queryKey: ["automation-rules"], queryFn: () => dataOf(api.GET("/api/v1/automation-rules")) });
  const close = () => setAsking(null);
  return (
    <>
      <div className="page-head"><h1 className="grow">{say("rules.title")}</h1>{isAdmin && <Button appearance="primary" onClick={() => setAsking({ kind: "new" })}>{say("rules.new")}</Button>}</div>
      <Shown asked={asked} rows={4}>{(found) => (found.length === 0 ? <Empty text={say("rules.none")} /> : (
        <div className="card">
          <table className="grid" aria-label={say("rules.title")}>
            <colgroup><col style={{ width: 110 }} /><col /><col /><col style={{ width: 220 }} /><col style={{ width: 150 }} />{isAdmin && <col style={{ width: 150 }} />}</colgroup>
            <thead><tr><th scope="col">{say("word.state")}</th><th scope="col">{say("word.name")}</th><th scope="col">{say("rules.when")}</th><th scope="col">{say("rules.playbook")}</th><th scope="col">{say("rules.caught")}</th>{isAdmin && <th scope="col">{say("tokens.acts")}</th>}</tr></thead>
            <tbody>{found.map((rule) => <Row key={rule.rule_id} rule={rule} ask={isAdmin ? setAsking : undefined} />)}</tbody>
          </table>
        </div>
      ))}</Shown>
      {asking?.kind === "new" && <RuleDialog close={close} />}
      {asking?.kind === "edit" && <RuleDialog rule={asking.rule} close={close} />}
      {asking?.kind === "remove" && <RemoveDialog rule={asking.rule} close={close} />}
      {asking?.kind === "arm" && <ArmDialog rule={asking.rule} close={close} />}
    </>
  );
}

function useSwitch(rule: Rule, done?: () => void) {
  const queries = useQueryClient();
  return useAct({
    mutationFn: (isEnabled: boolean) => dataOf(api.PUT("/api/v1/automation-rules/{rule_id}/switch", { params: { path: { rule_id: rule.rule_id } }, body: { is_enabled: isEnabled } })),
    onSuccess: () => {
      done?.();
      void queries.invalidateQueries({ queryKey: ["automation-rules"] });
    },
  });
}

function Row({ rule, ask }: { rule: Rule; ask?: (asking: Asking) => void }) {
  const say = useSay();
  const flip = useSwitch(rule);
  const words = useWordsOf(rule.conditions);
  const word = say(rule.is_enabled ? "rules.on" : "rules.off");
  return (
    <tr>
      <td>{ask ? <Switch checked={rule.is_enabled} aria-label={`${rule.name}: ${word}`} onChange={(_, data) => (data.checked ? ask({ kind: "arm", rule }) : flip.mutate(false))} /> : word}<Refused error={flip.error} /></td>
      <td className="strong">{rule.name}</td>
      <td title={words}>{words || say("rules.every")}</td>
      <td><Link to={`/playbooks/${rule.playbook_id}` as never}>{rule.playbook_name}</Link></td>
      <td><Caught rule={rule} /></td>
      {ask && (
        <td className="keep"><span className="row">
          <button type="button" className="plain" aria-label={say("rules.editOne", { name: rule.name })} onClick={() => ask({ kind: "edit", rule })}>{say("word.edit")}</button>
          <button type="button" className="plain" aria-label={say("rules.removeOne", { name: rule.name })} onClick={() => ask({ kind: "remove", rule })}>{say("rules.remove")}</button>
        </span></td>
      )}
    </tr>
  );
}

function Caught({ rule }: { rule: Rule }) {
  const say = useSay();
  const { data } = useCaught(rule.conditions);
  return <>{data && say("rules.alerts", { caught: data.alert_ids.length, count: data.looked_at })}</>;
}

function ArmDialog({ rule, close }: { rule: Rule; close: () => void }) {
  const say = useSay();
  const flip = useSwitch(rule, close);
  return (
    <FormDialog title={say("rules.armTitle", { name: rule.name })} act={say("rules.arm")} leave={say("rules.leaveOff")} sending={flip} submit={() => flip.mutate(true)} close={close}>
      <p>{say("rules.armNote", { playbook: rule.playbook_name })}</p>
      <p>{say("rules.caught")}: <Caught rule={rule} /></p>
    </FormDialog>
  );
}

function RemoveDialog({ rule, close }: { rule: Rule; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const remove = useAct({
    mutationFn: () => dataOf(api.DELETE("/api/v1/automation-rules/{rule_id}", { params: { path: { rule_id: rule.rule_id } } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["automation-rules"] });
      close();
    },
  });
  const { name } = rule;
  return (
    <AskDialog title={say("rules.removeTitle", { name })} act={say("rules.removeDo", { name })} keep={say("rules.keep")} sending={remove} go={() => remove.mutate()} close={close}>
      <p>{say(rule.is_enabled ? "rules.removeOn" : "rules.removeOff", { playbook: rule.playbook_name })}</p>
    </AskDialog>
  );
}

// Automation rules: off until switched on; each shows what it would have caught in the past 30 days.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Switch } from "@fluentui/react-components";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { Refused } from "../../ui/refused";
import { Empty, Shown } from "../../ui/states";
import { FocusBack } from "../../ui/focus-back";
import { useSay } from "../../ui/words";

type Rule = Schemas["AutomationRuleOut"];

export function AutomationRulesPage() {
  const say = useSay();
  const asked = useQuery({ queryKey: ["automation-rules"], queryFn: () => dataOf(api.GET("/api/v1/automation-rules")) });
  return (
    <>
      <div className="page-head"><h1>{say("rules.title")}</h1></div>
      <Shown asked={asked} rows={4}>{(found) => (found.length === 0 ? <Empty text={say("rules.none")} /> : (
        <div className="card">
          <table className="grid" aria-label={say("rules.title")}>
            <colgroup><col style={{ width: 110 }} /><col /><col /><col style={{ width: 220 }} /><col style={{ width: 160 }} /></colgroup>
            <thead><tr><th scope="col">{say("word.state")}</th><th scope="col">{say("word.name")}</th><th scope="col">{say("rules.when")}</th><th scope="col">{say("rules.playbook")}</th><th scope="col">{say("rules.caught")}</th></tr></thead>
            <tbody>{found.map((rule) => <Row key={rule.rule_id} rule={rule} />)}</tbody>
          </table>
        </div>
      ))}</Shown>
    </>
  );
}

function Row({ rule }: { rule: Rule }) {
  const say = useSay();
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const { data: rules } = useQuery({ queryKey: ["analytics-rules"], queryFn: () => dataOf(api.GET("/api/v1/analytics-rules")) });
  const names = new Map((rules ?? []).map((each) => [each.rule_id, each.name]));
  const { data: caught } = useQuery({ queryKey: ["backtest", rule.rule_id, rule.conditions], queryFn: () => dataOf(api.POST("/api/v1/automation-rules/backtest", { body: rule.conditions })) });
  const flip = useMutation({
    mutationFn: (isEnabled: boolean) => dataOf(api.PUT("/api/v1/automation-rules/{rule_id}/switch", { params: { path: { rule_id: rule.rule_id } }, body: { is_enabled: isEnabled } })),
    onSuccess: () => {
      setAsking(false);
      void queries.invalidateQueries({ queryKey: ["automation-rules"] });
    },
  });
  return (
    <tr>
      <td><Switch checked={rule.is_enabled} aria-label={`${rule.name}: ${say(rule.is_enabled ? "rules.on" : "rules.off")}`} onChange={(_, data) => (data.checked ? setAsking(true) : flip.mutate(false))} /></td>
      <td className="strong">{rule.name}</td>
      <td title={conditionsOf(rule)}>{conditionsOf(rule, names) || say("rules.every")}</td>
      <td><Link to={`/playbooks/${rule.playbook_id}` as never}>{rule.playbook_name}</Link></td>
      <td>{caught && say("rules.alerts", { caught: caught.alert_ids.length, count: caught.looked_at })}
        {isAsking && (
          <Dialog open onOpenChange={(_, data) => !data.open && setAsking(false)}>
            <DialogSurface><FocusBack /><DialogBody>
              <DialogTitle>{say("rules.armTitle", { name: rule.name })}</DialogTitle>
              <DialogContent><p>{say("rules.armNote", { playbook: rule.playbook_name })}</p>{caught && <p>{say("rules.caught")}: {say("rules.alerts", { caught: caught.alert_ids.length, count: caught.looked_at })}</p>}<Refused error={flip.error} /></DialogContent>
              <DialogActions><Button onClick={() => setAsking(false)}>{say("rules.leaveOff")}</Button><Button appearance="primary" disabled={flip.isPending} onClick={() => flip.mutate(true)}>{say("rules.arm")}</Button></DialogActions>
            </DialogBody></DialogSurface>
          </Dialog>
        )}</td>
    </tr>
  );
}

/** Analytics rules by their names where they are known; a pattern stays what it is. */
function conditionsOf(rule: Rule, names: ReadonlyMap<string, string> = new Map()): string {
  return Object.entries(rule.conditions).filter(([, values]) => (values as string[]).length > 0).map(([name, values]) => `${name.replaceAll("_", " ")}: ${(values as string[]).map((each) => names.get(each) ?? each).join(", ")}`).join("; ");
}

// Analytics rules: on and off, how often, when they last matched, and what troubles them.
import { Switch } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { Refused } from "../../ui/refused";
import { Severity } from "../../ui/severity";
import { Shown } from "../../ui/states";
import { moment, span } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Rule = Schemas["RuleOut"];

export function AnalyticsRulesPage() {
  const say = useSay();
  const asked = useQuery({ queryKey: ["analytics-rules"], queryFn: () => dataOf(api.GET("/api/v1/analytics-rules")) });
  return (
    <>
      <div className="page-head"><h1>{say("arules.title")}</h1></div>
      <Shown asked={asked} rows={4}>{(found) => (
        <div className="card">
          <table className="grid" aria-label={say("arules.title")}>
            <colgroup><col style={{ width: 100 }} /><col style={{ width: 130 }} /><col /><col style={{ width: 110 }} /><col style={{ width: 140 }} /><col style={{ width: 80 }} /><col style={{ width: 260 }} /></colgroup>
            <thead><tr><th scope="col">{say("word.state")}</th><th scope="col">{say("word.severity")}</th><th scope="col">{say("word.name")}</th><th scope="col">{say("arules.every")}</th><th scope="col">{say("arules.lastMatch")}</th><th scope="col" className="right">{say("arules.alerts")}</th><th scope="col">{say("arules.error")}</th></tr></thead>
            <tbody>{found.map((rule) => <Row key={rule.rule_id} rule={rule} />)}</tbody>
          </table>
        </div>
      )}</Shown>
    </>
  );
}

function Row({ rule }: { rule: Rule }) {
  const say = useSay();
  const maySwitch = useMay("admin");
  const word = say(rule.is_enabled ? "rules.on" : "rules.off");
  const now = useNow();
  const queries = useQueryClient();
  const flip = useAct({
    mutationFn: (isEnabled: boolean) => dataOf(api.PUT("/api/v1/analytics-rules/{rule_id}/switch", { params: { path: { rule_id: rule.rule_id } }, body: { is_enabled: isEnabled } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["analytics-rules"] }),
  });
  return (
    <tr>
      <td>{maySwitch ? <Switch checked={rule.is_enabled} aria-label={`${rule.name}: ${word}`} onChange={(_, data) => flip.mutate(data.checked)} /> : word}<Refused error={flip.error} /></td>
      <td><Severity value={rule.severity} /></td><td className="strong" title={rule.name}>{rule.name}</td><td>{span(rule.frequency_seconds * 1000)}</td>
      <td className="mono">{rule.last_match_at ? moment(rule.last_match_at, now) : ""}</td><td className="right">{rule.alert_count}</td>
      <td title={rule.last_error ?? ""}>{rule.last_error && <Verdict word="open" text={rule.last_error} />}</td>
    </tr>
  );
}

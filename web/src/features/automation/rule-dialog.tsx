// A rule as it is made or changed: which alerts, which playbook, and what it would have caught while one chooses.
import { Field, Input, Select } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { Checks } from "../../ui/checks";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSettled } from "../../ui/settled";
import { useSay } from "../../ui/words";
import { type Conditions, type Rule, SEVERITIES, TYPED, listOf, useAnalyticsRules, useCaught } from "./conditions";

const ORDER = 100;
const EVERY: Conditions = { severities: [], analytics_rules: [], products: [], entities: [], tags: [] };

export function RuleDialog({ rule, close }: { rule?: Rule; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const [conditions, setConditions] = useState<Conditions>(rule?.conditions ?? EVERY);
  const change = (part: Partial<Conditions>) => setConditions((now) => ({ ...now, ...part }));
  const save = useAct({
    mutationFn: (body: Schemas["AutomationRuleIn"]) => dataOf(rule ? api.PUT("/api/v1/automation-rules/{rule_id}", { params: { path: { rule_id: rule.rule_id } }, body }) : api.POST("/api/v1/automation-rules", { body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["automation-rules"] });
      close();
    },
  });
  const submit = (form: FormData) => save.mutate({ name: textOf(form, "name"), playbook_id: textOf(form, "playbook"), order: Number(textOf(form, "order")), conditions });
  return (
    <FormDialog title={say(rule ? "rules.editTitle" : "rules.newTitle", { name: rule?.name ?? "" })} act={say(rule ? "rules.save" : "rules.saveOff")} sending={save} submit={submit} close={close} width={720}>
      <Field label={say("word.name")} required><Input name="name" autoComplete="off" required maxLength={120} defaultValue={rule?.name} /></Field>
      <Playbook rule={rule} />
      <Checks legend={say("word.severity")} options={SEVERITIES.map((each) => ({ value: each, label: say(`severity.${each}`) }))} picked={conditions.severities ?? []} change={(severities) => change({ severities })} />
      <AnalyticsRules picked={conditions.analytics_rules ?? []} change={(analytics_rules) => change({ analytics_rules })} />
      <details open={TYPED.some((each) => (rule?.conditions[each] ?? []).length > 0)}>
        <summary>{say("rules.more")}</summary>
        {TYPED.map((each) => (
          <Field key={each} label={say(`rules.${each}`)} hint={say("rules.typedNote")}><Input autoComplete="off" defaultValue={conditions[each]?.join(", ")} onChange={(_, data) => change({ [each]: listOf(data.value) })} /></Field>
        ))}
        <Field label={say("rules.order")} hint={say("rules.orderNote")}><Input name="order" type="number" defaultValue={String(rule?.order ?? ORDER)} /></Field>
      </details>
      <Line conditions={conditions} />
      <p className="note">{say(rule?.is_enabled ? "rules.savedOn" : "rules.savedOff")}</p>
    </FormDialog>
  );
}

/** Published playbooks that start from alerts; the others are named, with the reason. */
function Playbook({ rule }: { rule?: Rule }) {
  const say = useSay();
  const { data = [] } = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  const isOffered = (each: Schemas["PlaybookOut"]) => each.starts_from_alerts || each.playbook_id === rule?.playbook_id;
  const others = data.filter((each) => !isOffered(each)).map((each) => say(each.current_version_id ? "rules.noAlertTrigger" : "rules.notPublished", { name: each.name }));
  return (
    <Field label={say("rules.starts")} hint={others.length > 0 ? say("rules.notOffered", { names: others.join(", ") }) : undefined} required>
      <Select key={data.length} name="playbook" required defaultValue={rule?.playbook_id ?? ""}>
        <option value="" />
        {data.filter(isOffered).map((each) => <option key={each.playbook_id} value={each.playbook_id}>{each.name}</option>)}
      </Select>
    </Field>
  );
}

/** By id, shown by name; a pattern that somebody wrote over the API stays among them. */
function AnalyticsRules({ picked, change }: { picked: string[]; change: (picked: string[]) => void }) {
  const say = useSay();
  const known = useAnalyticsRules();
  const written = picked.filter((each) => !known.some(({ value }) => value === each)).map((each) => ({ value: each, label: each }));
  return <Checks legend={say("rules.analyticsRules")} note={say("rules.analyticsNote")} options={[...written, ...known]} picked={picked} change={change} />;
}

function Line({ conditions }: { conditions: Conditions }) {
  const say = useSay();
  const { data } = useCaught(useSettled(conditions));
  return <p role="status" className="strong" style={{ minHeight: 20 }}>{data && say("rules.wouldHave", { caught: data.alert_ids.length, count: data.looked_at })}</p>;
}

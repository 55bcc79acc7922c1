// Start a runbook: one field for each of its parameters, as its script declares them.
import { Field, Input, Select, Textarea } from "@fluentui/react-components";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { FormDialog } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";

type Parameter = Schemas["ParameterOut"];
const JSON_KINDS = ["object", "array"];

export function StartDialog({ runbook, close }: { runbook: Schemas["RunbookOut"]; close: () => void }) {
  const say = useSay();
  const navigate = useNavigate();
  const [unread, setUnread] = useState<string | null>(null); // the parameter whose JSON cannot be read
  const start = useAct({
    mutationFn: (parameters: Record<string, unknown>) => dataOf(api.POST("/api/v1/jobs", { body: { runbook: runbook.name, parameters, run_on: "" } })),
    onSuccess: (job) => {
      close();
      void navigate({ to: `/jobs/${job.job_id}` as never });
    },
  });
  const submit = (form: FormData) => {
    const given: Record<string, unknown> = {};
    for (const each of runbook.parameters) {
      const text = String(form.get(each.name) ?? "");
      if (text === "") continue; // the script's own default
      const value = valueOf(each, text);
      if (value === undefined) return setUnread(each.name);
      given[each.name] = value;
    }
    setUnread(null);
    start.mutate(given);
  };
  return (
    <FormDialog title={say("runbooks.startTitle", { name: runbook.name })} act={say("word.start")} sending={start} submit={submit} close={close}>
      {runbook.parameters.length === 0 && <p>{say("runbooks.noParameters")}</p>}
      {runbook.parameters.map((each) => (
        <Field key={each.name} label={each.name} hint={hintOf(each)} required={each.is_mandatory} validationMessage={unread === each.name ? say("runbooks.noJson") : undefined}><Given of={each} /></Field>
      ))}
    </FormDialog>
  );
}

/** The control takes what `Field` gives it, so it stands alone. */
function Given({ of: parameter, ...field }: { of: Parameter }) {
  const { name, kind, is_mandatory: required } = parameter;
  const known = shownDefault(parameter);
  const choices = kind === "bool" ? ["true", "false"] : parameter.choices;
  if (choices.length > 0) return <Select {...field} name={name} required={required} defaultValue={known}><option value="" />{choices.map((each) => <option key={each} value={each}>{each}</option>)}</Select>;
  if (JSON_KINDS.includes(kind)) return <Textarea {...field} name={name} required={required} defaultValue={known} className="mono" />;
  const isNumber = kind === "int" || kind === "float";
  return <Input {...field} name={name} required={required} defaultValue={known} autoComplete="off" type={isNumber ? "number" : "text"} step={kind === "float" ? "any" : undefined} />;
}

/** A default that only the script can work out is not shown as a value. */
function shownDefault({ default: value }: Parameter): string {
  if (value === null || value === undefined || isExpression(value)) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function isExpression(value: unknown): value is { expression: string } {
  return typeof value === "object" && value !== null && "expression" in value;
}

function hintOf({ kind, help, default: value }: Parameter): string {
  return [help, isExpression(value) ? `${kind} = ${value.expression}` : kind].filter(Boolean).join(" · ");
}

/** As the parameter's kind has it; undefined where JSON is wanted and cannot be read. Numbers the server reads itself. */
function valueOf({ kind }: Parameter, text: string): unknown {
  if (!JSON_KINDS.includes(kind)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// A new runbook begins as a draft that shows where its parameters come from.
import { Field, Input, Select } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";

type Kind = Schemas["RunbookOut"]["kind"];

const FIRST: Record<Kind, string> = {
  Python: 'def main(Name: str) -> None:\n    """The arguments of main are the parameters of the runbook."""\n    print(f"Hello {Name}")\n',
  PowerShell: "Param(\n    [Parameter(Mandatory = $true)] [string] $Name\n)\nWrite-Output \"Hello $Name\"\n",
};

export function NewRunbookDialog({ close }: { close: () => void }) {
  const say = useSay();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const { data: known = [] } = useQuery({ queryKey: ["runbooks"], queryFn: () => dataOf(api.GET("/api/v1/runbooks")) });
  const isTaken = known.some((each) => each.name.toLowerCase() === name.trim().toLowerCase());
  const wrong = isTaken ? say("runbooks.taken", { name: name.trim() }) : /[/\\]|^\s*\.{1,2}\s*$/.test(name) ? say("runbooks.noSlash") : undefined;
  const create = useAct({
    mutationFn: (kind: Kind) => dataOf(api.PUT("/api/v1/runbooks/{name}/draft", { params: { path: { name: name.trim() } }, body: { script: FIRST[kind], kind } })),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["runbooks"] });
      close();
      void navigate({ to: `/runbooks/${encodeURIComponent(made.name)}` as never });
    },
  });
  return (
    <FormDialog title={say("runbooks.newTitle")} act={say("runbooks.create")} sending={create} submit={(form) => create.mutate(textOf(form, "kind") as Kind)} close={close} isReady={!wrong}>
      <Field label={say("word.name")} validationMessage={wrong} required>
        <Input value={name} autoComplete="off" required maxLength={120} pattern=".*\S.*" onChange={(_, data) => setName(data.value)} />
      </Field>
      <Field label={say("runbooks.kind")}><Select name="kind">{Object.keys(FIRST).map((each) => <option key={each} value={each}>{each}</option>)}</Select></Field>
    </FormDialog>
  );
}

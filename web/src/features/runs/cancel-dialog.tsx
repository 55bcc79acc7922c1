// Ends a run that goes on: what is under way is broken off, what it did stays.
import { Field, Textarea } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";

export function CancelDialog({ run, close }: { run: Schemas["RunDetail"]; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const cancel = useAct({
    mutationFn: (reason: string) => dataOf(api.POST("/api/v1/runs/{run_id}/cancel", { params: { path: { run_id: run.run_id } }, body: { reason } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["run"] });
      close();
    },
  });
  return (
    <FormDialog title={say("runs.cancelTitle", { number: run.number })} act={say("runs.cancelDo", { number: run.number })} leave={say("runs.letGoOn")} sending={cancel} submit={(form) => cancel.mutate(textOf(form, "reason"))} close={close}>
      <p>{say("runs.cancelNote")}</p>
      <Field label={say("word.reason")} hint={say("containment.reasonNeeded")} required><Textarea name="reason" required maxLength={1000} /></Field>
    </FormDialog>
  );
}

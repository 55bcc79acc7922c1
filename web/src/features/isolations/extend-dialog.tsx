// A longer lease is asked for; another person approves.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Textarea } from "@fluentui/react-components";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

export function ExtendDialog({ isolation, close }: { isolation: Schemas["IsolationDetail"]; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const [reason, setReason] = useState("");
  const ask = useMutation({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations/{isolation_id}/extend", { params: { path: { isolation_id: isolation.isolation_id } }, body: { reason, is_forced: false } })),
  });
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("containment.extendTitle", { machine: isolation.machine_name })}</DialogTitle>
          <DialogContent>
            <Field label={say("word.reason")}><Textarea autoFocus value={reason} onChange={(_, data) => setReason(data.value)} maxLength={1000} /></Field>
            {ask.isSuccess && <p role="status">{say("containment.asked")}</p>}
            <Refused error={ask.error} />
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{say(ask.isSuccess ? "word.close" : "containment.cancel")}</Button>
            <Button appearance="primary" disabled={!reason.trim() || ask.isPending || ask.isSuccess} onClick={() => ask.mutate()}>{say("containment.extend")}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

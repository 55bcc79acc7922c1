// Import an Azure playbook as it is; what cannot run here is said with its place.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, Textarea } from "@fluentui/react-components";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

export function ImportDialog({ close }: { close: () => void }) {
  const say = useSay();
  useFocusBack();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [document, setDocument] = useState("");
  const keep = useMutation({
    mutationFn: () => dataOf(api.POST("/api/v1/playbooks", { body: { name, document, parameters: {} } })),
    onSuccess: (drafts) => {
      void queries.invalidateQueries({ queryKey: ["playbooks"] });
      close();
      if (drafts[0]) void navigate({ to: `/playbooks/${drafts[0].playbook_id}` as never });
    },
  });
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface style={{ maxWidth: 800 }}>
        <DialogBody>
          <DialogTitle>{say("playbooks.importTitle")}</DialogTitle>
          <DialogContent>
            <Field label={say("word.name")}><Input value={name} onChange={(_, data) => setName(data.value)} /></Field>
            <Field label={say("playbooks.document")}><Textarea value={document} onChange={(_, data) => setDocument(data.value)} rows={16} className="mono" /></Field>
            <Refused error={keep.error} />
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{say("containment.cancel")}</Button>
            <Button appearance="primary" disabled={!document.trim() || keep.isPending} onClick={() => keep.mutate()}>{say("playbooks.import").replace(" …", "")}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

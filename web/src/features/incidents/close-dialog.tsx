// Closing asks what it turned out to be.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Select, Textarea } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

const REASONS: Record<string, string[]> = {
  TruePositive: ["SuspiciousActivity"], BenignPositive: ["SuspiciousButExpected"], FalsePositive: ["IncorrectAlertLogic", "InaccurateData"], Undetermined: [],
};

export function CloseDialog({ incident, close }: { incident: Schemas["IncidentDetail"]; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const queries = useQueryClient();
  const [classification, setClassification] = useState("TruePositive");
  const [chosen, setChosen] = useState("");
  const reasons = REASONS[classification] ?? [];
  const reason = reasons.includes(chosen) ? chosen : (reasons[0] ?? null);
  const [comment, setComment] = useState("");
  const end = useAct({
    mutationFn: () => dataOf(api.PATCH("/api/v1/incidents/{incident_id}", {
      params: { path: { incident_id: incident.incident_id } },
      body: { status: "Closed", classification: classification as "TruePositive", classification_reason: reason, classification_comment: comment || null },
    })),
    onSuccess: () => {
      void queries.invalidateQueries();
      close();
    },
  });
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("incidents.closeTitle", { number: incident.number })}</DialogTitle>
          <DialogContent>
            <Field label={say("incidents.classification")}>
              <Select value={classification} onChange={(_, data) => setClassification(data.value)}>{Object.keys(REASONS).map((each) => <option key={each} value={each}>{say(`incidents.is.${each}`)}</option>)}</Select>
            </Field>
            {reasons.length > 1 && (
              <Field label={say("incidents.because")}>
                <Select value={reason ?? ""} onChange={(_, data) => setChosen(data.value)}>{reasons.map((each) => <option key={each} value={each}>{say(`incidents.for.${each}`)}</option>)}</Select>
              </Field>
            )}
            <Field label={say("word.reason")}><Textarea value={comment} onChange={(_, data) => setComment(data.value)} /></Field>
            <Refused error={end.error} />
          </DialogContent>
          <DialogActions>
            <Button onClick={close}>{say("incidents.keepOpen")}</Button>
            <Button appearance="primary" disabled={end.isPending} onClick={() => end.mutate()}>{say("incidents.close").replace(" …", "")}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

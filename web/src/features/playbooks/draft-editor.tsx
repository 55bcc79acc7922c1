// The draft's text as it is edited; saving checks it and keeps it, broken or not, as long as nobody else was faster.
import { Button } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { Refused } from "../../ui/refused";
import { type Place, SourceEditor } from "../../ui/source-editor";
import { Unsaved } from "../../ui/unsaved";
import { useSay } from "../../ui/words";

export function DraftEditor({ playbook, place, stop }: { playbook: Schemas["PlaybookDetail"]; place: Place | null; stop: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const { playbook_id } = playbook;
  const [kept, setKept] = useState({ text: playbook.source, at: playbook.changed_at });
  const [text, setText] = useState(playbook.source);
  const isDirty = text !== kept.text;
  const save = useAct({
    mutationFn: (document: string) => dataOf(api.PUT("/api/v1/playbooks/{playbook_id}/draft", { params: { path: { playbook_id } }, body: { document, parameters: {}, seen_at: kept.at } })),
    onSuccess: (draft, document) => {
      setKept({ text: document, at: draft.changed_at });
      return queries.invalidateQueries({ queryKey: ["playbooks"] });
    },
  });
  return (
    <>
      <SourceEditor label={say("playbooks.source")} value={text} change={setText} place={place} />
      <div className="row" style={{ marginTop: 8 }}>
        <Button appearance="primary" disabledFocusable={!isDirty || save.isPending} onClick={() => save.mutate(text)}>{say("playbooks.saveDraft")}</Button>
        <Button onClick={stop}>{say(isDirty ? "playbooks.discard" : "playbooks.stopEditing")}</Button>
        <span role="status" className="note">{isDirty ? say("playbooks.notSaved") : save.isSuccess && say("playbooks.saved")}</span>
      </div>
      <Refused error={save.error} />
      <Unsaved isDirty={isDirty} />
    </>
  );
}

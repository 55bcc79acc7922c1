// The script of a runbook: the draft, for those who may change it, and what jobs run now.
import { Button } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay } from "../../api/session";
import { Code } from "../../ui/code";
import { Refused } from "../../ui/refused";
import { type Place, SourceEditor } from "../../ui/source-editor";
import { Unsaved } from "../../ui/unsaved";
import { type Say, useSay } from "../../ui/words";

type Runbook = Schemas["RunbookDetail"];

/** What is typed and not yet saved; null as long as nothing is. */
export interface Typed {
  text: string | null;
  set: (text: string) => void;
}

/** Where it stands, in the same words in the list and on its page. */
export function standingOf({ state, published_version: number }: Schemas["RunbookOut"], say: Say): string[] {
  return [say(`runbooks.state.${state}`), ...(number ? [say("runbooks.version", { number })] : [])];
}

export function keptOf(runbook: Runbook): string {
  return runbook.draft ?? runbook.script ?? "";
}

export function Script({ runbook, place, typed }: { runbook: Runbook; place: Place | null; typed: Typed }) {
  const say = useSay();
  const isAdmin = useMay("admin");
  const [isPublished, setPublished] = useState(false);
  useEffect(() => setPublished(false), [place]); // a problem is one of the draft
  const hasBoth = runbook.draft !== null && runbook.script !== null;
  const showsPublished = isPublished && hasBoth;
  return (
    <section className="card" aria-labelledby="script">
      <div className="card-head">
        <h2 id="script">{say(runbook.draft === null || showsPublished ? "playbooks.published" : "playbooks.draft")}</h2>
        {hasBoth && <button type="button" className="plain" onClick={() => setPublished(!isPublished)}>{say(isPublished ? "runbooks.showDraft" : "runbooks.showPublished")}</button>}
      </div>
      <div className="card-body">
        {isAdmin && <div hidden={showsPublished}><Editing runbook={runbook} place={place} typed={typed} /></div>}
        {(!isAdmin || showsPublished) && <Code value={showsPublished ? runbook.script : keptOf(runbook)} label={say("runbooks.script")} />}
      </div>
    </section>
  );
}

/** Stays while the published script is looked at, so that no typed word is lost. */
function Editing({ runbook, place, typed }: { runbook: Runbook; place: Place | null; typed: Typed }) {
  const say = useSay();
  const queries = useQueryClient();
  const text = typed.text ?? keptOf(runbook);
  const isDirty = text !== keptOf(runbook);
  const save = useAct({
    mutationFn: (script: string) => dataOf(api.PUT("/api/v1/runbooks/{name}/draft", { params: { path: { name: runbook.name } }, body: { script, kind: runbook.kind } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["runbooks"] }),
  });
  return (
    <>
      <SourceEditor label={say("runbooks.script")} value={text} change={typed.set} place={place} />
      <div className="row" style={{ marginTop: 8 }}>
        <Button disabledFocusable={!isDirty || save.isPending} onClick={() => save.mutate(text)}>{say("playbooks.saveDraft")}</Button>
        <span role="status" className="note">{isDirty ? say("playbooks.notSaved") : save.isSuccess && say("playbooks.saved")}</span>
      </div>
      <Refused error={save.error} />
      <Unsaved isDirty={isDirty} />
    </>
  );
}

// One playbook: its problems with their places, its source, its versions. Publishing arms nothing but the address of a Request trigger.
import { Button } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { flushSync } from "react-dom";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { AskDialog } from "../../ui/ask-dialog";
import { Code } from "../../ui/code";
import { CopyField } from "../../ui/copy-field";
import { ProblemList } from "../../ui/problem-list";
import { Refused } from "../../ui/refused";
import type { Place } from "../../ui/source-editor";
import { Shown } from "../../ui/states";
import { useCrumb } from "../../ui/crumb";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";
import { DraftEditor } from "./draft-editor";
import { Standing } from "./standing";

type Playbook = Schemas["PlaybookDetail"];
const START: Place = { line: 1, column: 1 };

export function PlaybookPage() {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const asked = useQuery({ queryKey: ["playbooks", id], queryFn: () => dataOf(api.GET("/api/v1/playbooks/{playbook_id}", { params: { path: { playbook_id: id } } })) });
  return <Shown asked={asked} rows={8}>{(found) => <Body key={found.playbook_id} playbook={found} />}</Shown>;
}

function Body({ playbook }: { playbook: Playbook }) {
  const say = useSay();
  useCrumb(playbook.name);
  const isAdmin = useMay("admin");
  const queries = useQueryClient();
  const [isEditing, setEditing] = useState(false);
  const [isDeleting, setDeleting] = useState(false);
  const [place, setPlace] = useState<Place | null>(null);
  const edit = useRef<HTMLButtonElement>(null);
  const publish = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/playbooks/{playbook_id}/publish", { params: { path: { playbook_id: playbook.playbook_id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["playbooks"] }),
  });
  const goTo = (wanted: Place) => {
    setEditing(true);
    setPlace({ ...wanted });
  };
  const stop = () => {
    flushSync(() => setEditing(false)); // the button is there again, and takes the focus
    edit.current?.focus();
  };
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{playbook.name}</h1><Facts playbook={playbook} /></div>
        {isAdmin && !isEditing && (
          <>
            {playbook.current_version_id === null && <button type="button" className="danger" onClick={() => setDeleting(true)}>{say("playbooks.delete")}</button>}
            <Button ref={edit} onClick={() => goTo(START)}>{say("word.edit")}</Button>
            <Button appearance="primary" disabledFocusable={playbook.problems.length > 0 || !hasNews(playbook) || publish.isPending} title={hasNews(playbook) ? undefined : say("playbooks.sameAsPublished")} onClick={() => publish.mutate()}>{say("playbooks.publish")}</Button>
          </>
        )}
      </div>
      <Refused error={publish.error} />
      <div className="columns incident">
        <section className="card" aria-labelledby="source"><div className="card-head"><h2 id="source">{say("playbooks.source")}</h2></div>
          <div className="card-body">{isEditing ? <DraftEditor playbook={playbook} place={place} stop={stop} /> : <Code value={playbook.source} label={say("playbooks.source")} />}</div></section>
        <div>
          <section className="card" aria-labelledby="problems">
            <div className="card-head"><h2 id="problems">{say("playbooks.problems")}</h2></div>
            <div role="status"><ProblemList problems={playbook.problems} goTo={isAdmin ? goTo : undefined} /></div>
          </section>
          <Standing playbook={playbook} />
          <Versions playbook={playbook} />
          {Object.entries(playbook.callback_urls).map(([name, url]) => <section key={name} className="card card-body"><CopyField label={say("playbooks.callback")} value={url} isFirst={false} /></section>)}
        </div>
      </div>
      {isDeleting && <DeleteDialog playbook={playbook} close={() => setDeleting(false)} />}
    </>
  );
}

/** Whether the draft holds what is not published yet. */
function hasNews({ versions, changed_at }: Playbook): boolean {
  const last = versions[0];
  return last === undefined || new Date(changed_at) > new Date(last.published_at);
}

function hasRequestTrigger({ definition, callback_urls }: Playbook): boolean {
  const triggers = Object.values((definition?.triggers ?? {}) as Record<string, { type?: unknown }>);
  return Object.keys(callback_urls).length > 0 || triggers.some((each) => String(each.type).toLowerCase() === "request");
}

function Facts({ playbook }: { playbook: Playbook }) {
  const say = useSay();
  const now = useNow();
  const last = playbook.versions[0];
  return (
    <div className="facts">
      <span>{say(playbook.state === "published" ? "playbooks.published" : "playbooks.draft")}</span>
      {last && hasNews(playbook) && <span>{say("playbooks.newerDraft", { number: last.number, time: moment(playbook.changed_at, now) })}</span>}
      <span>{say(hasRequestTrigger(playbook) ? "playbooks.armsAddress" : "playbooks.armsNothing")}</span>
    </div>
  );
}

function Versions({ playbook }: { playbook: Playbook }) {
  const say = useSay();
  const now = useNow();
  return (
    <section className="card" aria-labelledby="versions">
      <div className="card-head"><h2 id="versions">{say("playbooks.versions")}</h2></div>
      {playbook.versions.length === 0 && <p className="card-body note">{say("playbooks.noVersions")}</p>}
      {playbook.versions.map((each) => <div key={each.version_id} className="card-body row"><span className="strong">{each.number}</span><span className="grow">{each.published_by}</span><span className="mono">{moment(each.published_at, now)}</span></div>)}
    </section>
  );
}

function DeleteDialog({ playbook, close }: { playbook: Playbook; close: () => void }) {
  const say = useSay();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { playbook_id, name } = playbook;
  const [seen_at] = useState(playbook.changed_at);
  const remove = useAct({
    mutationFn: () => dataOf(api.DELETE("/api/v1/playbooks/{playbook_id}", { params: { path: { playbook_id }, query: { seen_at } } })),
    onSuccess: async () => {
      close();
      await navigate({ to: "/playbooks" as never });
      queries.removeQueries({ queryKey: ["playbooks", playbook_id] });
      void queries.invalidateQueries({ queryKey: ["playbooks"] });
    },
  });
  return (
    <AskDialog title={say("playbooks.deleteTitle", { name })} act={say("playbooks.deleteDo", { name })} keep={say("playbooks.keep")} sending={remove} go={() => remove.mutate()} close={close}>
      <p>{say("playbooks.deleteNote")}</p>
    </AskDialog>
  );
}

// Import Azure playbooks as they are, from files or pasted; what cannot run here is said with its place.
import { Button, Field, Input, Textarea } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type DragEvent, type Ref, useRef, useState } from "react";
import { useAct } from "../../api/act";
import { ApiError, type Schemas, api, dataOf } from "../../api/client";
import { FormDialog } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";
import { type Document, documentOf } from "./documents";

const PASTED: Document = { name: "", text: "" };

export function ImportDialog({ close }: { close: () => void }) {
  const say = useSay();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [files, setFiles] = useState<Document[]>([]);
  const [pasted, setPasted] = useState(PASTED);
  const chooser = useRef<HTMLButtonElement>(null);
  const [notTaken, setNotTaken] = useState<string[]>([]);
  const take = async (chosen: File[]) => {
    const read = await Promise.all(chosen.map(documentOf));
    const taken = read.filter((each) => each !== null);
    setNotTaken(chosen.filter((_, index) => read[index] === null).map((each) => each.name));
    setFiles((known) => [...known.filter((old) => !taken.some((each) => each.file === old.file)), ...taken]);
  };
  const keep = useAct({
    mutationFn: () => keepAll(pasted.text.trim() ? [...files, pasted] : files),
    onSuccess: ({ drafts, refused }) => {
      void queries.invalidateQueries({ queryKey: ["playbooks"] });
      setFiles(refused.filter((each) => each.file));
      setPasted(refused.find((each) => !each.file) ?? PASTED);
      if (refused.length > 0) return;
      close();
      if (drafts[0] && drafts.length === 1) void navigate({ to: `/playbooks/${drafts[0].playbook_id}` as never });
    },
  });
  const leaveOut = (document: Document) => {
    setFiles((known) => known.filter((each) => each !== document));
    chooser.current?.focus(); // what was pressed goes with its file
  };
  const rename = (file: string | undefined, name: string) => setFiles((known) => known.map((each) => (each.file === file ? { ...each, name } : each)));
  return (
    <FormDialog title={say("playbooks.importTitle")} act={say("playbooks.import").replace(" …", "")} sending={keep} submit={() => keep.mutate()} close={close} isReady={files.length > 0 || pasted.text.trim() !== ""} width={800}>
      <Files take={take} chooser={chooser} />
      {notTaken.map((each) => <p key={each} role="alert" className="field-error">{say("playbooks.wrongFile", { file: each })}</p>)}
      {files.map((each) => <One key={each.file} document={each} rename={(name) => rename(each.file, name)} drop={() => leaveOut(each)} />)}
      <Field label={say("playbooks.pastedName")} hint={say("playbooks.nameNote")}><Input value={pasted.name} autoComplete="off" onChange={(_, data) => setPasted({ ...pasted, name: data.value })} /></Field>
      <Field label={say("playbooks.document")} validationMessage={pasted.refusal}><Textarea value={pasted.text} onChange={(_, data) => setPasted({ ...pasted, text: data.value })} rows={8} className="mono" /></Field>
    </FormDialog>
  );
}

/** One after the other; what the server refuses is told, and the others are kept all the same. */
async function keepAll(documents: Document[]): Promise<{ drafts: Schemas["DraftOut"][]; refused: Document[] }> {
  const drafts: Schemas["DraftOut"][] = [];
  const refused: Document[] = [];
  for (const each of documents) {
    try {
      drafts.push(...(await dataOf(api.POST("/api/v1/playbooks", { body: { name: each.name.trim(), document: each.text, parameters: {} } }))));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refused.push({ ...each, refusal: error.message });
    }
  }
  return { drafts, refused };
}

function Files({ take, chooser }: { take: (files: File[]) => void; chooser: Ref<HTMLButtonElement> }) {
  const say = useSay();
  const field = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take([...event.dataTransfer.files]);
  };
  const over = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  return (
    <div className={`drop row ${isOver ? "over" : ""}`} onDrop={drop} onDragOver={over} onDragLeave={() => setOver(false)}>
      <Button ref={chooser} onClick={() => field.current?.click()}>{say("playbooks.chooseFiles")}</Button><span className="note">{say("playbooks.dropNote")}</span>
      <input
        ref={field} type="file" hidden multiple accept=".json,.jsonc" aria-label={say("playbooks.chooseFiles")}
        onChange={(event) => { void take([...(event.target.files ?? [])]); event.target.value = ""; }}
      />
    </div>
  );
}

function One({ document, rename, drop }: { document: Document; rename: (name: string) => void; drop: () => void }) {
  const say = useSay();
  const { data = [] } = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  const isKnown = data.some((each) => each.name.toLowerCase() === document.name.trim().toLowerCase());
  const refusal = document.refusal && `${document.file}: ${document.refusal}`;
  return (
    <div className="row" style={{ alignItems: "flex-start" }}>
      <Field className="grow" label={say("playbooks.nameOf", { file: document.file ?? "" })} hint={isKnown ? say("playbooks.getsDraft") : undefined} validationMessage={refusal}><Input value={document.name} autoComplete="off" maxLength={120} onChange={(_, data) => rename(data.value)} /></Field>
      <Button style={{ marginTop: 24 }} onClick={drop} aria-label={say("playbooks.leaveOut", { file: document.file ?? "" })}>{say("playbooks.leaveOutShort")}</Button>
    </div>
  );
}

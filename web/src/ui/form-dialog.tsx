// The dialog that asks for something: fields, why it was refused, the act, and the answer that leaves all as it is.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-components";
import type { FormEvent, ReactNode } from "react";
import { useFocusBack } from "./focus-back";
import { Refused } from "./refused";
import { useSay } from "./words";

/** What is sent, as a mutation says it. */
export interface Sending {
  error: Error | null;
  isPending: boolean;
}

interface FormDialogProps {
  title: string;
  act: string;
  leave?: string;
  sending: Sending;
  submit: (form: FormData) => void;
  close: () => void;
  isReady?: boolean;
  width?: number;
  /** What came of it: stands instead of the fields, and only closing is left. */
  done?: ReactNode;
  children?: ReactNode;
}

export function FormDialog({ title, act, leave, sending, submit, close, isReady = true, width, done, children }: FormDialogProps) {
  const say = useSay();
  useFocusBack();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isReady && !sending.isPending && !done) submit(new FormData(event.currentTarget));
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface style={width ? { maxWidth: width } : undefined}>
        <form onSubmit={send}>
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent className="fields">{done ?? <>{children}<Refused error={sending.error} /></>}</DialogContent>
            {done ? <DialogActions><Button onClick={close}>{say("word.close")}</Button></DialogActions> : (
              <DialogActions>
                <Button onClick={close}>{leave ?? say("containment.cancel")}</Button>
                <Button appearance="primary" type="submit" disabled={!isReady} disabledFocusable={sending.isPending}>{act}</Button>
              </DialogActions>
            )}
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}

/** The part of a form's text under a name, without what stands around it. */
export function textOf(form: FormData, name: string): string {
  return String(form.get(name) ?? "").trim();
}

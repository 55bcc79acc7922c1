// Before something is taken away: what goes, and two answers. The safe one is primary and has the focus; Enter takes nothing away.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle } from "@fluentui/react-components";
import { type ReactNode, useEffect, useRef } from "react";
import { useFocusBack } from "./focus-back";
import type { Sending } from "./form-dialog";
import { Refused } from "./refused";

interface AskDialogProps {
  title: string;
  act: string;
  keep: string;
  sending?: Sending;
  go: () => void;
  close: () => void;
  children: ReactNode;
}

export function AskDialog({ title, act, keep, sending, go, close, children }: AskDialogProps) {
  useFocusBack();
  const safe = useRef<HTMLButtonElement>(null);
  useEffect(() => safe.current?.focus(), []); // after the dialog has put the focus on its first button
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{title}</DialogTitle>
          <DialogContent>{children}<Refused error={sending?.error ?? null} /></DialogContent>
          <DialogActions>
            <button type="button" className="danger" aria-disabled={sending?.isPending} onClick={() => !sending?.isPending && go()}>{act}</button>
            <Button ref={safe} appearance="primary" onClick={close}>{keep}</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

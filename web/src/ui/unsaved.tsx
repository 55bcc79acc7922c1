// Leaving a page with a text on it that is not saved asks first.
import { useBlocker } from "@tanstack/react-router";
import { AskDialog } from "./ask-dialog";
import { useSay } from "./words";

export function Unsaved({ isDirty }: { isDirty: boolean }) {
  const say = useSay();
  const blocker = useBlocker({ shouldBlockFn: () => isDirty, enableBeforeUnload: isDirty, withResolver: true });
  if (blocker.status !== "blocked") return null;
  return (
    <AskDialog title={say("unsaved.title")} act={say("unsaved.leave")} keep={say("unsaved.stay")} go={blocker.proceed} close={blocker.reset}>
      <p>{say("unsaved.note")}</p>
    </AskDialog>
  );
}

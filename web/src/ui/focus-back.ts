// Whatever had the focus when a dialog opened gets it back when the dialog is gone.
import { useEffect, useState } from "react";

const LET_GO_MS = 200; // by then the dialog has let go of the focus itself, and of the page that it hid

export function useFocusBack(): void {
  const [origin] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      window.setTimeout(() => {
        showThePageAgain();
        const isFree = document.activeElement === null || document.activeElement === document.body; // nobody has gone elsewhere meanwhile
        if (isFree && origin instanceof HTMLElement && origin.isConnected) origin.focus();
      }, LET_GO_MS);
    },
    [origin],
  );
}

/** A dialog that goes by itself, because the answer came, leaves the page behind it hidden from screen readers. */
function showThePageAgain(): void {
  if (!document.querySelector("[role=dialog], [role=alertdialog]")) document.getElementById("root")?.removeAttribute("aria-hidden");
}

/** The same as a part, for a dialog that stands inside something that stays. */
export function FocusBack() {
  useFocusBack();
  return null;
}

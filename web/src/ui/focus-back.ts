// Whatever had the focus when a dialog opened gets it back when the dialog is gone.
import { useEffect, useState } from "react";

const LET_GO_MS = 200; // by then the dialog has let go of the focus itself, and of the page that it hid

export function useFocusBack(): void {
  const [origin] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      window.setTimeout(() => origin instanceof HTMLElement && origin.isConnected && origin.focus(), LET_GO_MS);
    },
    [origin],
  );
}

/** The same as a part, for a dialog that stands inside something that stays. */
export function FocusBack() {
  useFocusBack();
  return null;
}

// A small dialog of the browser's own: it keeps the focus inside, closes on Escape, and gives the focus back.
import { type ReactNode, useLayoutEffect, useRef } from "react";

interface SheetProps {
  label: string;
  close: () => void;
  children: ReactNode;
}

export function Sheet({ label, close, children }: SheetProps) {
  const place = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = place.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={place} className="sheet" aria-label={label} onClose={close} onClick={(event) => event.target === place.current && close()}>
      {children}
    </dialog>
  );
}

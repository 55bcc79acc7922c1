// The name of the record a page shows; the page says it, the top bar and the title of the window read it.
import { useEffect, useSyncExternalStore } from "react";

let current = "";
const listeners = new Set<() => void>();

function set(text: string): void {
  current = text;
  for (const listen of listeners) listen();
}

function subscribe(listen: () => void): () => void {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

/** Says what the page shows, as long as it shows it. */
export function useCrumb(text: string): void {
  useEffect(() => {
    set(text);
    return () => set("");
  }, [text]);
}

export function useLastCrumb(): string {
  return useSyncExternalStore(subscribe, () => current);
}

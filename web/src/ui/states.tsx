// Loading, empty and failed, each saying what it is and the one act that helps.
import { type ReactNode, useEffect, useState } from "react";
import { useSay } from "./words";

/** Skeleton rows of the final height, after 200 ms. */
export function Loading({ rows = 4 }: { rows?: number }) {
  const say = useSay();
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(true), 200);
    return () => window.clearTimeout(timer);
  }, []);
  return (
    <div className="card-body" aria-busy="true" aria-label={say("state.loading")} role="status" style={{ minHeight: rows * 32 }}>
      {isLate && Array.from({ length: rows }, (_, index) => <div key={index} className="skeleton" style={{ width: `${90 - index * 11}%` }} />)}
    </div>
  );
}

export function Empty({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{text}</p>
      {children}
    </div>
  );
}

export function Failed({ error, retry }: { error: Error; retry?: () => void }) {
  const say = useSay();
  const hint = "problem" in error ? (error as { problem: { hint?: string | null } }).problem.hint : null;
  return (
    <div className="empty" role="alert">
      <p className="tone-bad strong">{error.message}</p>
      {hint && <p>{hint}</p>}
      {retry && <button type="button" className="quiet-button" onClick={retry}>{say("state.tryAgain")}</button>}
    </div>
  );
}

interface Asked<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

/** What was asked for, once it is there. */
export function Shown<T>({ asked, rows, children }: { asked: Asked<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (asked.data !== undefined) return <>{children(asked.data)}</>;
  if (asked.error) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  return <Loading rows={rows} />;
}

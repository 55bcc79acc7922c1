// Why an act was refused, and the way out.
import { ApiError } from "../api/client";

export function Refused({ error, place = "" }: { error: Error | null; place?: string }) {
  if (!error) return null;
  const hint = error instanceof ApiError ? error.problem.hint : null;
  return <p role="alert" className={`${place} field-error`.trim()}>{error.message}{hint && ` (${hint})`}</p>;
}

// Sign-in: by link or by name, with the tries that are left and the way back in.
import { Button, Field, Input } from "@fluentui/react-components";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { ApiError, api, dataOf } from "../../api/client";
import { type Me, useSession } from "../../api/session";
import { useSay } from "../../ui/words";
import { Harbour } from "./harbour";

export function SignInPage() {
  const say = useSay();
  const { link, next } = useSearch({ strict: false }) as { link?: string; next?: string };
  const { me, welcome } = useSession();
  const navigate = useNavigate();
  const [error, setError] = useState<ApiError | null>(null);
  const [isOfLink, setOfLink] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [needsCode, setNeedsCode] = useState(false);
  const [hasEntered, setEntered] = useState(false);
  const hasUsedLink = useRef(false);
  useEffect(() => {
    // Not before the session is known everywhere: a page that knows of none leads back here.
    if (hasEntered && me) void navigate({ to: (next?.startsWith("/") && !next.startsWith("//") ? next : "/") as never, replace: true });
  }, [hasEntered, me, next, navigate]);

  const enter = async (asked: () => Promise<Me>, byLink = false) => {
    setOfLink(byLink);
    setBusy(true);
    setError(null);
    try {
      welcome(await asked());
      setEntered(true);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      if (problem.problem.code === "identity.second_factor_needed") setNeedsCode(true);
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (!link || hasUsedLink.current) return;
    hasUsedLink.current = true; // a link works once, an effect may run twice
    void enter(() => dataOf(api.POST("/api/v1/session/link", { body: { token: link } })), true);
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "");
    void enter(() => dataOf(api.POST("/api/v1/session", { body: { name: text("name"), password: text("password"), code: text("code") } })));
  };
  return (
    <main className="sign-in">
      <Harbour />
      <form onSubmit={submit}>
        <h1>{say("signIn.title")}</h1>
        <p className="quiet">{say("signIn.where", { host: window.location.host })}</p>
        {error && (
          <div role="alert" className="sign-in-error">
            <span className="strong">{isOfLink && `${say("signIn.linkFailed")}: `}{error.message}</span> {error.problem.hint}
          </div>
        )}
        <Field label={say("signIn.name")}><Input name="name" autoComplete="username" autoFocus required /></Field>
        <Field label={say("signIn.password")}><Input name="password" type="password" autoComplete="current-password" required /></Field>
        {needsCode && <Field label={say("signIn.code")}><Input name="code" inputMode="numeric" autoComplete="one-time-code" /></Field>}
        <Button appearance="primary" type="submit" disabled={isBusy}>{say(isBusy ? "signIn.busy" : "signIn.button")}</Button>
        <p className="note">{say("signIn.lockedOut")}<br /><code className="mono">guardship admin reset NAME</code></p>
      </form>
    </main>
  );
}

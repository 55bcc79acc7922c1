// One playbook: its problems with their places, its source, its versions. Publishing arms nothing.
import { Button } from "@fluentui/react-components";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { Code } from "../../ui/code";
import { Refused } from "../../ui/refused";
import { Shown } from "../../ui/states";
import { useCrumb } from "../../ui/crumb";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

type Playbook = Schemas["PlaybookDetail"];

export function PlaybookPage() {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const asked = useQuery({ queryKey: ["playbooks", id], queryFn: () => dataOf(api.GET("/api/v1/playbooks/{playbook_id}", { params: { path: { playbook_id: id } } })) });
  return <Shown asked={asked} rows={8}>{(found) => <Body playbook={found} />}</Shown>;
}

function Body({ playbook }: { playbook: Playbook }) {
  const say = useSay();
  useCrumb(playbook.name);
  const now = useNow();
  const queries = useQueryClient();
  const publish = useMutation({
    mutationFn: () => dataOf(api.POST("/api/v1/playbooks/{playbook_id}/publish", { params: { path: { playbook_id: playbook.playbook_id } } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["playbooks"] }),
  });
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{playbook.name}</h1><div className="facts"><span>{say(playbook.state === "published" ? "playbooks.published" : "playbooks.draft")}</span><span>{say("playbooks.armsNothing")}</span></div></div>
        <Button appearance="primary" disabled={playbook.problems.length > 0 || publish.isPending} onClick={() => publish.mutate()}>{say("playbooks.publish")}</Button>
      </div>
      <Refused error={publish.error} />
      <div className="columns incident">
        <section className="card card-body"><h2>{say("playbooks.source")}</h2><Code value={playbook.source} /></section>
        <div>
          <section className="card" aria-labelledby="problems">
            <div className="card-head"><h2 id="problems">{say("playbooks.problems")}</h2></div>
            {playbook.problems.map((each, index) => (
              <div key={index} className="card-body"><span className="tone-bad strong">{each.message}</span><br /><span className="mono">{each.path}</span> <span className="note">{say("playbooks.line", { line: each.line, column: each.column })}</span>{each.hint && <div>{each.hint}</div>}</div>
            ))}
            {playbook.problems.length === 0 && <p className="card-body note">{say("playbooks.noProblems")}</p>}
          </section>
          <section className="card" aria-labelledby="versions">
            <div className="card-head"><h2 id="versions">{say("playbooks.versions")}</h2></div>
            {playbook.versions.map((each) => <div key={each.version_id} className="card-body row"><span className="strong">{each.number}</span><span className="grow">{each.published_by}</span><span className="mono">{moment(each.published_at, now)}</span></div>)}
          </section>
          {Object.entries(playbook.callback_urls).map(([name, url]) => <section key={name} className="card card-body"><h2>{say("playbooks.callback")}</h2><p className="mono" style={{ overflowWrap: "anywhere" }}>{url}</p></section>)}
        </div>
      </div>
    </>
  );
}

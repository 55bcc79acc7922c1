// What is wrong with a text, and where; a press goes there, for whoever may mend it.
import type { Place } from "./source-editor";
import { useSay } from "./words";

interface TextProblem {
  message: string;
  hint?: string | null;
  path?: string | null;
  line?: number | null;
  column?: number | null;
}

export function ProblemList({ problems, goTo }: { problems: TextProblem[]; goTo?: (place: Place) => void }) {
  const say = useSay();
  if (problems.length === 0) return <p className="card-body note">{say("playbooks.noProblems")}</p>;
  return (
    <ul className="problem-list">
      {problems.map((each, index) => (
        <li key={index} className="card-body">
          <span className="tone-bad strong">{each.message}</span>
          <div>{each.path && <span className="mono">{each.path} </span>}{each.line && <Where place={{ line: each.line, column: each.column ?? 1 }} goTo={goTo} />}</div>
          {each.hint && <div>{each.hint}</div>}
        </li>
      ))}
    </ul>
  );
}

function Where({ place, goTo }: { place: Place; goTo?: (place: Place) => void }) {
  const text = useSay()("playbooks.line", { line: place.line, column: place.column });
  return goTo ? <button type="button" className="plain" onClick={() => goTo(place)}>{text}</button> : <span className="note">{text}</span>;
}

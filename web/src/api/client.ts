// The typed client: paths and shapes come from the server's OpenAPI document, the guard of this page goes along with every change.
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];

let guard = "";

export function keepGuard(value: string): void {
  guard = value;
}

/** What the server said was wrong, as a thing to throw: its sentence, its way out, its place. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

let signedOut: () => void = () => undefined;

/** What is done where the server knows nobody any more: signed out in another tab, or come to its end. */
export function whenSignedOut(act: () => void): void {
  signedOut = act;
}

const guarded: Middleware = {
  onRequest: ({ request }) => {
    if (request.method !== "GET") request.headers.set("X-Guard", guard);
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: "", credentials: "same-origin" });
api.use(guarded);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; throws ApiError with the server's words, or with plain ones when it did not answer. */
export async function dataOf<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch {
    throw new ApiError({ type: "about:blank", title: "Not available now", status: 0, code: "console.unreachable", detail: "The server did not answer." });
  }
  if (answer.error !== undefined || !answer.response.ok) {
    const problem = problemOf(answer.error, answer.response);
    if (problem.code === "api.not_signed_in") signedOut();
    throw new ApiError(problem);
  }
  return answer.data as T;
}

function problemOf(error: unknown, response: Response): Problem {
  if (typeof error === "object" && error !== null && "detail" in error) return error as Problem;
  return { type: "about:blank", title: response.statusText, status: response.status, code: "console.answer", detail: `The server answered ${response.status}.` };
}

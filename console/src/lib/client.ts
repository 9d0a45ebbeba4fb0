import type { components, paths } from "./api";
import { setServerTime } from "./clock.svelte";

type Method = "get" | "post" | "patch" | "delete";
type Path<M extends Method> = { [P in keyof paths]: paths[P][M] extends object ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : undefined;
type Answer<O> = O extends { responses: infer R } ? Json<R[keyof R & (200 | 201 | 202 | 204)]> : never;
type Parameters<O> = O extends { parameters: infer P } ? P : never;
type PathOf<O> = Parameters<O> extends { path: infer P } ? P : never;
/** A cursor comes back as it was given, whatever its type is said to be. */
type Query<Q> = { [K in keyof Q]?: K extends "after" ? string | number : Q[K] };
type QueryOf<O> = Parameters<O> extends { query?: infer Q } ? Query<NonNullable<Q>> : never;
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : never;

type Options<O> = ([PathOf<O>] extends [never] ? object : { path: PathOf<O> }) &
  ([QueryOf<O>] extends [never] ? object : { query?: QueryOf<O> }) &
  ([BodyOf<O>] extends [never] ? object : { body: BodyOf<O> });

export type Problem = components["schemas"]["Problem"];

/** The server answered, and the answer is an RFC 9457 problem. */
export class ApiProblem extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

/** No answer came: the server or the way to it is down. */
export class Unreachable extends Error {}

let onUnauthenticated = (): void => {};

export function whenUnauthenticated(handler: () => void): void {
  onUnauthenticated = handler;
}

interface Given {
  path?: Record<string, unknown>;
  query?: object;
  body?: unknown;
}

function address(path: string, options: Given): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(options.path?.[name])));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  return query.size === 0 ? filled : `${filled}?${query}`;
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback: Problem = {
    type: "about:blank",
    title: `The server answered ${response.status} ${response.statusText}`.trim(),
    status: response.status,
    detail: "",
  };
  if (!(response.headers.get("content-type") ?? "").includes("json")) return fallback;
  return { ...fallback, ...((await response.json().catch(() => ({}))) as Problem) };
}

async function call<M extends Method, P extends Path<M>>(
  method: M,
  path: P,
  options: Options<Operation<P, M>>,
): Promise<Answer<Operation<P, M>>> {
  const given = options as Given;
  const body = given.body;
  let response: Response;
  try {
    response = await fetch(address(path, given), {
      method: method.toUpperCase(),
      headers: body === undefined ? {} : { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Unreachable("The server cannot be reached");
  }
  setServerTime(response.headers.get("date"));
  if (response.status === 401) onUnauthenticated();
  if (!response.ok) throw new ApiProblem(await problemOf(response));
  const isJson = (response.headers.get("content-type") ?? "").includes("json");
  return (isJson ? await response.json() : undefined) as Answer<Operation<P, M>>;
}

type Call<M extends Method> = <P extends Path<M>>(
  path: P,
  options: Options<Operation<P, M>>,
) => Promise<Answer<Operation<P, M>>>;

export const get: Call<"get"> = (path, options) => call("get", path, options);
export const post: Call<"post"> = (path, options) => call("post", path, options);
export const del: Call<"delete"> = (path, options) => call("delete", path, options);

type Cursor = string | number;

interface Page<T> {
  items: T[];
  next?: Cursor | null;
  total: number;
}

/** Follows `next` until the end, or until `limit` rows are here. */
export async function allPages<T>(
  fetchPage: (after: Cursor | undefined) => Promise<Page<T>>,
  limit: number,
): Promise<{ items: T[]; total: number }> {
  const items: T[] = [];
  let after: Cursor | undefined;
  for (;;) {
    const page = await fetchPage(after);
    items.push(...page.items);
    const next = page.next ?? undefined;
    if (next === undefined || items.length >= limit) return { items, total: page.total };
    after = next;
  }
}

/** What to tell the operator about a failed call: the server's own words where there are any. */
export function reason(error: unknown): string {
  if (error instanceof ApiProblem) return error.message;
  return error instanceof Error ? error.message : String(error);
}

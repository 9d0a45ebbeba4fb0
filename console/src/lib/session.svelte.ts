import { ApiProblem, del, get, post, whenUnauthenticated } from "./client";
import { startLive, stopLive } from "./live.svelte";

interface Session {
  state: "unknown" | "absent" | "open" | "unreachable";
  user: string;
}

export const session = $state<Session>({ state: "unknown", user: "" });

whenUnauthenticated(() => {
  if (session.state === "open") stopLive();
  session.state = "absent";
});

export async function resumeSession(): Promise<void> {
  try {
    const found = await get("/api/v1/session", {});
    openFor(found.user);
  } catch (error) {
    session.state = error instanceof ApiProblem ? "absent" : "unreachable";
  }
}

export async function login(user: string, password: string): Promise<void> {
  await post("/api/v1/session", { body: { user, password } });
  openFor(user);
}

export async function logout(): Promise<void> {
  await del("/api/v1/session", {});
  stopLive();
  session.state = "absent";
}

function openFor(user: string): void {
  session.user = user;
  session.state = "open";
  startLive();
}

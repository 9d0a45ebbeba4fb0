// The API of a wattfold server, with an invented fleet behind it, and console/dist in front of it.
// For developing and testing the console only. `POST /mock/stream?up=false` takes the stream away.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as fleet from "./mock_fleet.mjs";

const PORT = Number(process.env.MOCK_PORT ?? 4180);
const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const COOKIE = "wattfold_session=mock";
const LARGEST_TARGET_W = 250_000;
const MAX_BODY = 65_536;

const streams = new Set();
let stream_up = true;

const json = (response, status, body, type = "application/json") => {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(JSON.stringify(body));
};

const problem = (response, status, title, detail, more = {}) =>
  json(response, status, { type: "about:blank", title, status, detail, ...more }, "application/problem+json");

async function body(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (MAX_BODY < text.length) throw new Error("too large");
  }
  return JSON.parse(text);
}

function page(items, url) {
  const limit = Number(url.searchParams.get("limit") ?? 100);
  const from = Number(url.searchParams.get("after") ?? 0);
  const slice = items.slice(from, from + limit);
  const next = from + limit < items.length ? String(from + limit) : null;
  return { items: slice, next, total: items.length };
}

function ders(url, now) {
  const filter = (url.searchParams.get("filter") ?? "").toLowerCase();
  const state = url.searchParams.get("state");
  const group = url.searchParams.get("group");
  const rows = fleet.fleet.map((der) => fleet.derRow(der, now));
  return rows.filter(
    (row) =>
      (filter === "" || `${row.name} ${row.mrid} ${row.lfdi}`.toLowerCase().includes(filter)) &&
      (state === null || row.state === state) &&
      (group === null || row.groups.includes(group)),
  );
}

function openStream(response) {
  if (!stream_up) return problem(response, 503, "Unavailable", "No stream can be opened now.");
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  send("ping", {});
  const ticking = setInterval(() => {
    const now = Date.now();
    send("summary", fleet.summary(now));
    send("dispatch", fleet.dispatchRow(fleet.running, now));
  }, 1000);
  const entry = { response, stop: () => clearInterval(ticking) };
  streams.add(entry);
  response.on("close", () => {
    entry.stop();
    streams.delete(entry);
  });
}

async function createDispatch(request, response, now) {
  const asked = await body(request);
  const group = fleet.findGroup(asked.group);
  if (group === undefined) return problem(response, 404, "Not found", `There is no group ${asked.group}.`);
  const over = asked.schedule.findIndex((interval) => LARGEST_TARGET_W < Math.abs(interval.p_w));
  if (0 <= over) {
    const asked_w = asked.schedule[over].p_w;
    const detail = `Interval ${over + 1} asks for ${asked_w} W, but group ${group.names[0]} can reach ${LARGEST_TARGET_W} W: ${asked_w - LARGEST_TARGET_W} W short.`;
    return problem(response, 422, "The plan does not hold", detail, { field: `schedule[${over}].p_w`, rule: "short_of_power" });
  }
  const parts = asked.schedule.map((interval) => [interval.duration_s * 1000, interval.p_w]);
  const made = fleet.addDispatch(group, asked.name ?? "", Date.parse(asked.schedule[0].start), parts);
  json(response, 201, fleet.dispatchRow(made, now));
}

function dispatchRoute(request, response, url, parts, now) {
  const dispatch = fleet.findDispatch(parts[1]);
  if (dispatch === undefined) return problem(response, 404, "Not found", `There is no dispatch ${parts[1]}.`);
  if (request.method === "POST" && parts[2] === "cancel") {
    dispatch.cancelled = true;
    return json(response, 200, fleet.dispatchRow(dispatch, now));
  }
  if (parts[2] === "series") return json(response, 200, fleet.series(dispatch, now));
  if (parts[2] === "deliveries") {
    const rows = dispatch.group.members.map((der) => fleet.deliveryRow(dispatch, der, now));
    return json(response, 200, page(rows, url));
  }
  json(response, 200, fleet.dispatchRow(dispatch, now));
}

function derRoute(response, url, parts, now) {
  if (parts[1] === undefined) return json(response, 200, page(ders(url, now), url));
  const der = fleet.findDer(parts[1]);
  if (der === undefined) return problem(response, 404, "Not found", `There is no DER ${parts[1]}.`);
  if (parts[2] === "log_events") return json(response, 200, page(fleet.logEvents(der, now), url));
  json(response, 200, fleet.derDetail(der, now));
}

function groupRoute(response, url, parts, now) {
  if (parts[1] === undefined) {
    return json(response, 200, page(fleet.allGroups().map((group) => fleet.groupRow(group, now)), url));
  }
  const group = fleet.findGroup(parts[1]);
  if (group === undefined) return problem(response, 404, "Not found", `There is no group ${parts[1]}.`);
  json(response, 200, fleet.groupDetail(group, now));
}

async function session(request, response) {
  if (request.method === "POST") {
    const { user, password } = await body(request);
    if (user !== "admin" || password !== "correct horse") {
      return problem(response, 401, "Unauthorized", "The user or the password is wrong.");
    }
    response.writeHead(204, { "set-cookie": `${COOKIE}; HttpOnly; SameSite=Strict; Path=/` });
    return response.end();
  }
  if (!(request.headers.cookie ?? "").includes(COOKIE)) return problem(response, 401, "Unauthorized", "Sign in first.");
  if (request.method === "DELETE") {
    response.writeHead(204, { "set-cookie": `${COOKIE}; Max-Age=0; Path=/` });
    return response.end();
  }
  json(response, 200, { user: "admin" });
}

async function api(request, response, url) {
  const parts = url.pathname.replace("/api/v1/", "").split("/").map(decodeURIComponent);
  const now = Date.now();
  if (parts[0] === "session") return session(request, response);
  if (!(request.headers.cookie ?? "").includes(COOKIE)) return problem(response, 401, "Unauthorized", "Sign in first.");
  if (parts[0] === "stream") return openStream(response);
  if (parts[0] === "summary") return json(response, 200, fleet.summary(now));
  if (parts[0] === "ders") return derRoute(response, url, parts, now);
  if (parts[0] === "groups") return groupRoute(response, url, parts, now);
  if (parts[0] === "telemetry") {
    const at = (name) => Date.parse(url.searchParams.get(name));
    return json(response, 200, fleet.telemetry(fleet.findDer(url.searchParams.get("der")), at("from"), at("to")));
  }
  if (parts[0] === "dispatches" && parts[1] !== undefined) return dispatchRoute(request, response, url, parts, now);
  if (parts[0] === "dispatches" && request.method === "POST") return createDispatch(request, response, now);
  if (parts[0] === "dispatches") {
    const phase = url.searchParams.get("phase");
    const rows = fleet.allDispatches().map((dispatch) => fleet.dispatchRow(dispatch, now));
    return json(response, 200, page(rows.filter((row) => phase === null || row.phase === phase), url));
  }
  problem(response, 404, "Not found", `There is nothing at ${url.pathname}.`);
}

function control(response, url) {
  stream_up = url.searchParams.get("up") !== "false";
  if (!stream_up) for (const { response: open } of streams) open.destroy();
  response.writeHead(204).end();
}

async function asset(response, url) {
  const path = normalize(url.pathname === "/" ? "/index.html" : url.pathname);
  try {
    const content = await readFile(join(DIST, path));
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "content-security-policy": POLICY });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}

createServer((request, response) => {
  const url = new URL(request.url, `http://127.0.0.1:${PORT}`);
  if (url.pathname === "/mock/stream") return control(response, url);
  if (!url.pathname.startsWith("/api/v1/")) return asset(response, url);
  api(request, response, url).catch((error) => problem(response, 400, "Bad request", String(error)));
}).listen(PORT, "127.0.0.1", () => console.log(`mock on http://127.0.0.1:${PORT}, admin / correct horse`));

export type Route =
  | { page: "home" }
  | { page: "group"; mrid: string }
  | { page: "dispatches" }
  | { page: "dispatch"; mrid: string }
  | { page: "ders"; query: URLSearchParams }
  | { page: "der"; mrid: string }
  | { page: "account" }
  | { page: "missing" };

function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [noun = "", id] = path.split("/").map(decodeURIComponent);
  if (id !== undefined && id !== "") {
    if (noun === "groups") return { page: "group", mrid: id };
    if (noun === "dispatches") return { page: "dispatch", mrid: id };
    if (noun === "ders") return { page: "der", mrid: id };
    return { page: "missing" };
  }
  if (noun === "") return { page: "home" };
  if (noun === "dispatches" || noun === "account") return { page: noun };
  if (noun === "ders") return { page: "ders", query: new URLSearchParams(query) };
  return { page: "missing" };
}

export const router = $state<{ route: Route }>({ route: parse(location.hash) });

addEventListener("hashchange", () => {
  router.route = parse(location.hash);
  scrollTo(0, 0);
});

export const groupHref = (mrid: string): string => `#/groups/${encodeURIComponent(mrid)}`;
export const dispatchHref = (mrid: string): string => `#/dispatches/${encodeURIComponent(mrid)}`;
export const derHref = (mrid: string): string => `#/ders/${encodeURIComponent(mrid)}`;

export function go(href: string): void {
  location.hash = href;
}

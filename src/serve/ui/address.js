// What the page shows is what its address says: which view, of what, and which pictures. "Back" brings a place back as it was.
const VIEWS = { labels: ["set"], review: ["set", "label"], image: ["image"], duplicates: [], map: [], library: [] };
const KEPT = ["q", "order", "by", "similarity", "lat", "lon", "zoom"];
const listeners = new Set();

function read() {
  const [view, ...parts] = location.pathname.split("/").slice(1).filter(Boolean).map(decodeURIComponent);
  const params = new URLSearchParams(location.search);
  const state = { view: view in VIEWS ? view : "pictures" };
  (VIEWS[view] ?? []).forEach((name, at) => { state[name] = parts[at] ?? ""; });
  KEPT.forEach((name) => { state[name] = params.get(name) ?? ""; });
  return state;
}

let state = read();
export const now = () => state;

export function href({ view = "pictures", ...rest }) {
  const parts = (VIEWS[view] ?? []).map((name) => rest[name]).filter(Boolean).map(encodeURIComponent);
  const path = view === "pictures" ? "/" : `/${[view, ...parts].join("/")}`;
  const kept = KEPT.filter((name) => rest[name]).map((name) => [name, rest[name]]);
  const params = new URLSearchParams(kept).toString();
  return params ? `${path}?${params}` : path;
}

// What is remembered of this place, beside its address.
export const remembered = () => history.state ?? {};
export function remember(what) {
  history.replaceState({ ...history.state, ...what }, "");
}

// Goes to what differs from here. The same place again is no new one; what is still being typed takes the place of what was.
export function go(change, { replace = false, fresh = false } = {}) {
  const wanted = href(fresh ? change : { ...state, ...change });
  const isHere = wanted === location.pathname + location.search;
  if (isHere) return;
  const depth = (history.state?.depth ?? 0) + (replace ? 0 : 1);
  if (replace) history.replaceState({ ...history.state, depth }, "", wanted);
  else history.pushState({ depth }, "", wanted);
  changed("go");
}

// Whether "back" stays on the page.
export const canGoBack = () => (history.state?.depth ?? 0) > 0;

export const onChange = (listener) => listeners.add(listener);
function changed(how) {
  const before = state;
  state = read();
  listeners.forEach((listener) => listener(state, before, how));
}

history.scrollRestoration = "manual";
addEventListener("popstate", () => changed("back"));

// Links of the page stay on the page; those of drawings, as on the map, know less of themselves than others.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const isPlain = !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.hasAttribute("target") || link.getAttribute("href").startsWith("#")) return;
  const { origin, pathname, search } = new URL(link.getAttribute("href"), location.href);
  if (origin !== location.origin || pathname.startsWith("/api") || pathname === "/login") return;
  event.preventDefault();
  const wanted = pathname + search;
  if (wanted === location.pathname + location.search) return;
  history.pushState({ depth: (history.state?.depth ?? 0) + 1 }, "", wanted);
  changed("go");
});

// What happens in the library, as it happens: one stream for all tabs, and what becomes of the daemon. Browsers give one host six
// connections, so that six tabs with a stream each would wait for each other.
import { onUnreachable } from "./api.js";

const EVENTS = ["image", "image_gone", "tag", "label_set", "label_file", "decision", "failure", "root", "progress", "model", "missed"];
const RETRY_MS = [1000, 2000, 5000];
const listeners = new Map();
const channel = new BroadcastChannel("pixdex");
let source = null;
let isHere = true;
let failures = 0;
let retry = 0;

export function on(names, listener) {
  names.split(" ").forEach((name) => {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(listener);
  });
}

function tell(event) {
  listeners.get(event.event)?.forEach((listener) => listener(event));
}

function spread(event) {
  channel.postMessage(event);
  tell(event);
}

function setHere(here) {
  if (here === isHere) return;
  isHere = here;
  tell({ event: here ? "here" : "away" });
}

export const isAway = () => !isHere;

function listen() {
  source?.close();
  source = new EventSource("/api/v1/events");
  EVENTS.forEach((name) => source.addEventListener(name, ({ data }) => spread(JSON.parse(data))));
  source.onopen = () => {
    failures = 0;
    spread({ event: "here" });
  };
  source.onerror = () => {
    spread({ event: "away" });
    // The browser goes on by itself where the connection broke, and gives up where the answer was an error.
    if (source.readyState === EventSource.CLOSED) again();
  };
}

function again() {
  clearTimeout(retry);
  retry = setTimeout(listen, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

// A request that nobody answered: whether the daemon is gone, its address says.
let looking = 0;
async function look() {
  clearTimeout(looking);
  try {
    await fetch("/health/live");
    failures = 0;
    setHere(true);
    tell({ event: "here" });
  } catch {
    setHere(false);
    looking = setTimeout(look, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
    failures += 1;
  }
}

channel.onmessage = ({ data }) => {
  if (data.event === "here") setHere(true);
  if (data.event === "away") look();
  else tell(data);
};
on("here", () => { isHere = true; });
on("away", () => { isHere = false; });
onUnreachable(look);

// Which tab listens, its browser decides; another one takes over when that is closed. Without locks, as on plain HTTP from another
// machine, each tab listens while it is seen.
export function start() {
  if (navigator.locks) {
    navigator.locks.request("pixdex events", () => { listen(); return new Promise(() => {}); });
    return;
  }
  const seen = () => { if (document.hidden) source?.close(); else listen(); };
  document.addEventListener("visibilitychange", seen);
  seen();
}

// Keys, wherever the focus is; "?" shows them.
import { go, now } from "./address.js";
import { byId, html, isTyping, render } from "./dom.js";
import { undoLast } from "./toast.js";
import { t } from "./text.js";

const VIEWS = { p: "pictures", l: "labels", d: "duplicates", m: "map", i: "library" };
let wantsView = false;

// `views` says for each view what it does with a key; whether it did anything.
export function start(views) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (pressed(event, views)) event.preventDefault();
  });
}

function pressed(event, views) {
  const { key, target } = event;
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (isTyping(target)) {
    if (key !== "Escape") return false;
    target.blur();
    return true;
  }
  if (byId("help").open) return false;
  if (key === "z") return undoLast();
  if (wantsView) {
    wantsView = false;
    if (key in VIEWS) { go({ view: VIEWS[key] }, { fresh: true }); return true; }
  }
  if (isPlain && key === "g") { wantsView = true; return true; }
  if (isPlain && key === "/") { byId("query").focus(); byId("query").select(); return true; }
  if (isPlain && key === "?") { help(); return true; }
  const isButton = target.closest("button, a:not(.tile a), summary, input, select") && [" ", "Enter"].includes(key);
  if (isButton || target.closest("select") || (target.matches("input[type=range]") && key.startsWith("Arrow"))) return false;
  return views[now().view]?.(event) ?? false;
}

export function help() {
  const dialog = byId("help");
  render(html`<h2>${t("keys")}</h2><dl>${Object.entries(t("keyNames")).map(([key, does]) => html`<div><dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd>`)}</dt><dd>${does}</dd></div>`)}</dl>
    <form method="dialog"><button>${t("close")}</button></form>`, dialog);
  dialog.setAttribute("aria-label", t("keys"));
  dialog.showModal();
}

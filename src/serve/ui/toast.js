// Tells what was done for some seconds, with a way back.
import { byId, html, render } from "./dom.js";
import { t } from "./text.js";

const SHOWN_MS = 8000;
let shown = [];
let number = 0;

function draw() {
  render(shown.map((toast) => html`<div class="toast ${toast.kind}">
    <span>${toast.text}</span>
    ${toast.undo ? html`<button type="button" @click=${() => undo(toast)}>${t("undo")} <kbd>z</kbd></button>` : ""}
    <button type="button" class="plain" aria-label=${t("close")} @click=${() => drop(toast)}>×</button></div>`), byId("toasts"));
}

function drop(toast) {
  clearTimeout(toast.timer);
  shown = shown.filter((other) => other !== toast);
  draw();
}

export function toast(text, { undo = null, kind = "done" } = {}) {
  const made = { id: number += 1, text, undo, kind };
  made.timer = setTimeout(() => drop(made), SHOWN_MS);
  shown = [...shown.slice(-2), made];
  draw();
}

export const fail = (error) => { if (error.name !== "AbortError") toast(error.message, { kind: "wrong" }); };

async function undo(toast) {
  drop(toast);
  try {
    await toast.undo();
  } catch (error) {
    fail(error);
  }
}

// Takes back what was done last; whether there was anything.
export function undoLast() {
  const last = shown.findLast((toast) => toast.undo);
  if (last) undo(last);
  return Boolean(last);
}

// What every part of the page makes its elements with, and what it calls pictures by.
import { svg } from "./lit-html.js";
export { html, nothing, render, svg } from "./lit-html.js";

const ICONS = {
  full: "M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5",
  facts: "M10 9v6M10 5.5v.5M10 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16",
  picture: "M3 4h14v12H3zM3 13l4-4 4 4 2-2 4 4M13.5 7.5v.1",
};
// Drawn, as not every system has signs for them.
export const icon = (name) => svg`<svg class="drawn" viewBox="0 0 20 20" aria-hidden="true"><path d=${ICONS[name]}></path></svg>`;

export const byId = (id) => document.getElementById(id);

// The last part of a path, of either system's kind; a backslash is a letter of names where paths have slashes.
export const fileName = (path) => path.split(path.includes("/") ? "/" : "\\").pop();

// Of a video the frame that fits best, or that stands for it.
export function thumbnail(item, size) {
  const frame = item.time_ms == null ? "" : `&time_ms=${item.time_ms}`;
  return `/api/v1/images/${item.id}/thumbnail?size=${size}${frame}`;
}
export const original = (item) => `/api/v1/images/${item.id}/file`;

// What browsers show by themselves.
const SHOWN = new Set(["jpeg", "png", "webp", "gif", "bmp", "avif"]);
export const isShown = (item) => SHOWN.has(item.format);
export const isVideo = (item) => item.duration_ms != null;

export const tagName = (tag) => `${tag.set}/${tag.label}`;
export const isTyping = (element) => Boolean(element?.closest("input:not([type=range]):not([type=checkbox]), textarea, select"));

// Runs once for many calls, when the browser paints next.
export function beforePaint(run) {
  let asked = 0;
  return () => {
    if (!asked) asked = requestAnimationFrame(() => { asked = 0; run(); });
  };
}

// Runs when no call came for so long.
export function afterPause(pause_ms, run) {
  let timer = 0;
  const later = (...args) => { clearTimeout(timer); timer = setTimeout(() => run(...args), pause_ms); };
  later.cancel = () => clearTimeout(timer);
  return later;
}

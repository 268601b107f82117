// The view of pictures: the box above, the rail of what they have in common, the grid, and what is to be said about it.
import { go, href, now, remember, remembered } from "./address.js";
import { ask, part } from "./api.js";
import * as box from "./box.js";
import { scrubber } from "./calendar.js";
import { join } from "./chips.js";
import { decideSelected } from "./decide.js";
import { afterPause, beforePaint, byId, html, nothing, render, tagName } from "./dom.js";
import { rail } from "./facets.js";
import { Grid } from "./grid.js";
import * as images from "./images.js";
import { on } from "./live.js";
import { fail, toast } from "./toast.js";
import * as selection from "./selection.js";
import { number, t } from "./text.js";

let list = null;
let grid = null;
// Images that came since the list was asked for. A file that is read again, or another name, is the same image.
const waiting = new Set();
let isStale = false;
let suggestions = null;
let isRailOpen = false;
// The list whose place in the window was restored.
let placed = null;

export const shownList = () => list;
export const shownGrid = () => grid;

export function start() {
  grid = new Grid(byId("grid"), { onOpen: open });
  images.onChange((changed, id, change) => {
    if (id) grid.refresh(id);
    // Of what is around the grid nothing changes with more of the same list.
    if (changed && changed === list && change?.isMore) grid.draw();
    else if (changed && changed === list) arrived();
  });
  selection.onSelect(draw);
  on("image", (event) => { waiting.add(event.image); draw(); });
  on("image_gone", (event) => { waiting.delete(event.image); images.patch(event.image, { isGone: true }); draw(); });
  on("decision", (event) => images.refresh(event.image));
  on("label_set model missed", () => { box.forgetVocabulary(); isStale = true; recount(); });
  on("here", () => { if (list?.error) reload(); });
  addEventListener("scroll", rememberPlace, { passive: true });
}

// Not with every frame: browsers take only so many of these, and each holds a frame up.
const rememberPlace = afterPause(100, () => {
  if (now().view === "pictures" && placed === list) remember({ scroll: Math.round(scrollY), focused: grid.focused });
});

function open(item, at) {
  remember({ scroll: Math.round(scrollY), focused: at });
  go({ view: "image", image: item.id });
}

// Shows what the address says. What was shown stays until there is something to show instead.
export function show({ q, order }, before, how) {
  box.show(q);
  document.title = q ? `${q} – pixdex` : "pixdex";
  const isSame = list && list.q === q && list.order === order && !list.error;
  if (isSame) {
    if (how === "back" && before.view === "image") grid.scrollTo(grid.focused);
    else if (how === "back") restore();
    return draw();
  }
  list?.stop();
  selection.clear();
  waiting.clear();
  isStale = false;
  list = images.list(q, order);
  if (list.isLoaded) arrived();
  draw();
}

// The start of the list, or more of it, is there.
function arrived() {
  if (!list.isLoaded) return;
  grid.show(list);
  if (placed !== list) {
    placed = list;
    restore();
  }
  draw();
}

function restore() {
  const { scroll = 0, focused = 0 } = remembered();
  if (now().view !== "pictures") return;
  grid.drawNow();
  grid.setFocused(focused);
  scrollTo(0, scroll);
  grid.drawNow();
}

function reload() {
  images.forget();
  const { q, order } = now();
  waiting.clear();
  isStale = false;
  list = images.list(q, order);
  draw();
}

// Counts beside the list follow at once; the list itself waits until its reader wants it.
async function recount() {
  const counted = list;
  try {
    const total = await counted.askCounts();
    isStale = total !== counted.total || counted.parts.some((one) => one.name === "tag");
  } catch {
    // The daemon is away, which is told elsewhere.
  }
  draw();
}

export const draw = beforePaint(() => {
  const isLoaded = list?.isLoaded;
  byId("pictures").toggleAttribute("aria-busy", !isLoaded);
  byId("rail").classList.toggle("open", isRailOpen);
  if (isLoaded && list.facets) render(rail(list, draw), byId("rail"));
  render(scrubber(grid, list), byId("aside"));
  render(head(), byId("head"));
  byId("list").hidden = Boolean(isLoaded && (list.error || !list.count));
  // It may have been hidden until now.
  grid.draw();
});

function head() {
  if (!list?.isLoaded) return html`<p class="summary" role="status">${list && remembered().isTyped ? nothing : t("looking")}</p>`;
  if (list.error) return html`<p class="summary wrong" role="alert">${list.error.message}</p>`;
  return html`
    <div class="tools"><p class="summary" role="status">${summary()}</p>
      <button type="button" class="narrow" aria-expanded=${isRailOpen} @click=${() => { isRailOpen = !isRailOpen; draw(); }}>${t("filters")}</button>
      ${list.isRanked ? nothing : orders()} ${densities()}
      ${list.q ? html`<button type="button" @click=${save}>${t("saveSearch")}</button>` : nothing}</div>
    ${waiting.size || isStale ? html`<button type="button" class="pill" @click=${reload}>${waiting.size ? t("newPictures", waiting.size) : t("changedTags")}</button>` : nothing}
    ${selection.count() ? selected() : nothing}
    ${list.count ? nothing : nothingFound()}`;
}

function summary() {
  const { count } = list;
  if (list.fits === false) return t("nothingFits", count);
  return list.q ? t("found", count, number(count)) : t("pictures", count, number(count));
}

function orders() {
  const names = t("orders");
  return html`<select aria-label=${t("order")} @change=${(event) => go({ order: event.target.value })}>
    ${Object.entries(names).map(([value, name]) => html`<option value=${value} ?selected=${value === list.order}>${name}</option>`)}</select>`;
}

function densities() {
  const set = (event) => { localStorage.setItem("density", event.target.value); grid.again(); grid.draw(); };
  const chosen = localStorage.getItem("density") ?? "M";
  return html`<select class="density" aria-label=${t("density")} @change=${set}>
    ${Object.entries(t("densities")).map(([value, name]) => html`<option value=${value} ?selected=${value === chosen}>${name}</option>`)}</select>`;
}

function selected() {
  const label = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const [set, ...rest] = form.get("label").split("/");
    decideSelected({ set, label: rest.join("/") }, event.submitter.value).catch(fail);
  };
  return html`<form class="selection" @submit=${label}><span role="status">${t("selected", number(selection.count()))}</span>
    <input name="label" list="labels" required pattern=".+/.+" aria-label=${t("label")} placeholder=${t("label")}>
    <datalist id="labels">${(list.facets?.tags ?? []).filter((tag) => tag.set !== "file").map((tag) => html`<option value=${tagName(tag)}></option>`)}</datalist>
    <button value="confirmed">✓ ${t("give")}</button><button value="rejected">✗ ${t("take")}</button>
    <button type="button" @click=${() => selection.selectAll(list)}>${t("selectAll", number(list.count))}</button>
    <button type="button" @click=${selection.clear}>${t("selectNone")}</button></form>`;
}

// Why nothing is there, and what would be.
function nothingFound() {
  if (!list.q) return first();
  const filters = list.parts.filter((one) => one.kind === "filter" && one.name !== "strictness");
  const without = (one) => join(list.parts.filter((other) => other !== one));
  return html`<div class="empty"><h2>${t("nothingFound")}</h2>
    ${filters.length ? html`<p>${t("withoutFilter")}</p><ul>${filters.map((one) => html`<li><a href=${href({ q: without(one) })}>${one.text}</a></li>`)}</ul>` : nothing}
    <p><a href="/">${t("allPictures")}</a></p></div>`;
}

// An empty library: what happens, and what can be asked.
function first() {
  return html`<div class="empty"><h2>${t("noPictures")}</h2><p>${t("firstStart")} <a href="/library">${t("views").library}</a></p></div>`;
}

// Searches that work on this library: its most frequent labels.
export function examples() {
  const tags = (list?.facets?.tags ?? []).filter((tag) => tag.set !== "file").slice(0, 3);
  return tags.map((tag) => tag.label);
}

async function save() {
  const name = prompt(t("searchName"), list.q);
  if (!name) return;
  try {
    await ask(`searches/${part(name)}`, { method: "PUT", json: { q: list.q, order: list.order || null } });
    toast(t("searchSaved", name), { undo: () => ask(`searches/${part(name)}`, { method: "DELETE" }) });
    suggestions = null;
  } catch (error) {
    fail(error);
  }
}

export async function savedSearches() {
  suggestions ??= (await ask("searches")).searches;
  return suggestions;
}

// Keys of the grid.
export function key(event) {
  if (!list?.isLoaded || !list.count) return false;
  const next = grid.step(event.key);
  if (next !== undefined) { grid.focus(next); return true; }
  const at = grid.focused;
  if (event.key === " " && list.at(at)) selection.toggle(list, at, event.shiftKey);
  else if (event.key === "s" && list.at(at)) box.addLike(list.at(at).id, 1);
  else if (event.key === "x" && list.at(at)) box.addLike(list.at(at).id, -0.5);
  else if (event.key === "a" && (event.ctrlKey || event.metaKey)) selection.selectAll(list);
  else if (event.key === "Escape") return selection.clear();
  else return false;
  return true;
}


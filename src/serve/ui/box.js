// The box: what is looked for, as chips and words. While it has the focus nobody but the reader writes into it.
import { ask, askLast, isAborted, params } from "./api.js";
import { go, now } from "./address.js";
import { filter, isWord, join, like, withWeight } from "./chips.js";
import { afterPause, byId, html, icon, nothing, render } from "./dom.js";
import { fail } from "./toast.js";
import { month, number, t } from "./text.js";
import { common } from "./facets.js";

const PAUSE_MS = 120;
const SHOWN = 9;
const LONGEST_SIDE = 640;
let parts = [];
let shownQuery = null;
let values = null;
let offered = [];
let active = -1;
let openChip = null;

const box = () => byId("query");
const isHeld = () => document.activeElement === box();

// What the address says, taken apart; not while somebody types.
export async function show(q, isDone = false) {
  if (!isDone && (q === shownQuery || (isHeld() && q === whole()))) { shownQuery = q; return; }
  shownQuery = q;
  const typed = box()?.value;
  try {
    const answer = await askLast("parse", `parse?${params({ q })}`);
    // Whoever types on meanwhile is not interrupted.
    if (shownQuery !== q || (isHeld() && box().value !== typed)) return;
    if (answer.error) {
      parts = [];
      if (!isHeld()) box().value = q;
    } else take(answer.parts);
    draw();
  } catch (error) {
    if (!isAborted(error)) fail(error);
  }
}

function take(all) {
  parts = all.filter((part) => !isWord(part));
  box().value = join(all.filter(isWord));
}

const whole = () => join([...parts, (box()?.value ?? "").trim()]);

const search = afterPause(PAUSE_MS, () => commit(true));
function commit(isTyping) {
  search.cancel();
  const q = whole();
  shownQuery = isTyping ? q : null;
  const state = now();
  const isNew = state.view !== "pictures" || !isTyping || !history.state?.isTyped;
  go({ view: "pictures", q, order: state.order }, { replace: isTyping && !isNew });
  if (isTyping) history.replaceState({ ...history.state, isTyped: true }, "");
  else show(q, true);
}

// A part more, or another in its place.
export function add(text) {
  parts = [...parts, { text, kind: "filter", values: [] }];
  commit(false);
}

export const addLike = (id, weight) => {
  const all = parts.filter((part) => part.kind !== "image" || part.values[0] !== id);
  parts = [...all, { text: like(id, weight), kind: "image", values: [id], weight }];
  commit(false);
};

function change(part, text) {
  parts = parts.flatMap((other) => (other === part ? (text ? [{ ...part, text }] : []) : [other]));
  openChip = null;
  commit(false);
}

// A picture from elsewhere: made small here, brought once.
export async function bring(file) {
  try {
    const small = await shrink(file).catch(() => file);
    const { id } = await ask("uploads", { blob: small });
    sessionStorage.setItem(`brought ${id}`, await asAddress(small));
    addLike(id, 1);
  } catch (error) {
    fail(error);
  }
}

// What was brought is shown after a reload too.
const brought = (id) => sessionStorage.getItem(`brought ${id}`);

function asAddress(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    Object.assign(reader, { onload: () => done(reader.result), onerror: () => failed(reader.error) });
    reader.readAsDataURL(blob);
  });
}

async function shrink(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

export function draw() {
  render(html`
    ${parts.map(chip)}
    <input id="query" type="search" name="q" autocomplete="off" autocapitalize="off" spellcheck="false" role="combobox" aria-autocomplete="list"
      aria-expanded=${offered.length > 0} aria-controls="offered" aria-activedescendant=${active >= 0 ? `offer-${active}` : nothing}
      aria-label=${t("describe")} placeholder=${parts.length ? "" : t("describe")} maxlength="9000"
      @input=${typedIn} @keydown=${keyIn} @focus=${offer} @blur=${left}>
    <label class="icon" title=${t("byPicture")}><input type="file" accept="image/*" aria-label=${t("byPicture")}
      @change=${(event) => { if (event.target.files[0]) bring(event.target.files[0]); event.target.value = ""; }}>${icon("picture")}</label>
    ${whole() ? html`<button type="button" class="icon" aria-label=${t("clearSearch")} @click=${clear}>×</button>` : nothing}
    <ul id="offered" role="listbox" aria-label=${t("suggestions")} ?hidden=${!offered.length}>${offered.map(offerRow)}</ul>`, byId("search"));
}

function clear() {
  parts = [];
  box().value = "";
  commit(false);
  box().focus();
}

const signs = (part) => (part.is_excluded || part.weight < 0 ? "−" : "");
function chip(part, at) {
  const isWeighted = part.kind === "image" || part.kind === "description";
  const isOpen = openChip === at;
  const name = part.kind === "image" ? t("likePicture") : part.text;
  return html`<span class="chip ${part.kind} ${signs(part) ? "not" : ""}">
    <button type="button" class="face" aria-expanded=${isWeighted ? isOpen : nothing} title=${name}
      @click=${() => { openChip = isOpen ? null : at; draw(); }}>
      ${part.kind === "image" ? html`${signs(part)}<img alt=${t("likePicture")} src=${brought(part.values[0]) ?? `/api/v1/images/${part.values[0]}/thumbnail?size=160`}>`
        : html`<bdi>${shown(part)}</bdi>`}
      ${isWeighted && Math.abs(part.weight) !== 1 ? html`<small>${number(part.weight)}</small>` : nothing}</button>
    <button type="button" class="drop" aria-label=${t("removePart", name)} @click=${() => change(part, null)}>×</button>
    ${isWeighted && isOpen ? html`<span class="weight"><label>${t("weight")}
      <input type="range" min="-3" max="3" step="0.1" .value=${String(part.weight)} @change=${(event) => change(part, withWeight(part, Number(event.target.value)))}></label></span>` : nothing}
  </span>`;
}

function shown(part) {
  if (part.kind === "description") return `${signs(part)}${part.values[0]}`;
  const values = part.values.map((value) => (part.name === "tag" ? value.split("/").at(-1) : value)).join(` ${t("or")} `);
  return part.name === "tag" ? `${signs(part)}${values}` : `${signs(part)}${t("filterNames")[part.name] ?? part.name}: ${values || part.text}`;
}

function typedIn() {
  offer();
  search();
}

function keyIn(event) {
  if (event.key === "ArrowDown" && offered.length) active = (active + 1) % offered.length;
  else if (event.key === "ArrowUp" && offered.length) active = (active + offered.length - 1) % offered.length;
  else if (event.key === "Enter") {
    event.preventDefault();
    if (active >= 0) pick(offered[active]);
    else { offered = []; commit(false); }
    draw();
    return;
  } else if (event.key === "Escape" && offered.length) { offered = []; active = -1; event.stopPropagation(); }
  else if (event.key === "Backspace" && !box().value && parts.length) { change(parts.at(-1), null); return; }
  else return;
  event.preventDefault();
  draw();
}

// Suggestions are of what there is in the library.
async function vocabulary() {
  if (values) return values;
  const { facets } = await ask("images?limit=1&facets=true");
  const prefix = common(facets.folders.map((folder) => folder.value));
  const of = (kind, name, counts, words) => counts.map(({ value, count }) => ({ kind, text: filter(name, [value]), words: words(value), count }));
  values = [
    ...facets.tags.map(({ set, label, count }) => ({ kind: set, text: filter("tag", [`${set}/${label}`]), words: label, count })),
    ...of(t("folders"), "path", facets.folders, (value) => value.slice(prefix.length) || value),
    ...of(t("cameras"), "camera", facets.cameras, (value) => value),
    ...of(t("formats"), "format", facets.formats, (value) => value),
    ...of(t("taken"), "taken", facets.years, (value) => value),
    ...of(t("taken"), "taken", facets.months, month),
  ];
  return values;
}
export const forgetVocabulary = () => { values = null; };

async function offer() {
  const word = box().value.split(/\s+/).at(-1).toLocaleLowerCase();
  active = -1;
  if (word.length < 2 || word.includes(":")) { offered = []; draw(); return; }
  const all = await vocabulary().catch(() => []);
  if (!isHeld()) return;
  const begins = (text) => text.toLocaleLowerCase().split(/[\s/]+/).some((one) => one.startsWith(word));
  offered = all.filter((value) => value.count && begins(value.words)).slice(0, SHOWN);
  draw();
}

function offerRow(value, at) {
  return html`<li id="offer-${at}" role="option" aria-selected=${at === active} @mousedown=${(event) => { event.preventDefault(); pick(value); }}>
    <bdi>${value.words}</bdi><small>${value.kind} · ${number(value.count)}</small></li>`;
}

function pick(value) {
  const words = box().value.split(/\s+/).slice(0, -1).join(" ");
  box().value = words;
  parts = [...parts, { text: value.text, kind: "filter", values: [] }];
  offered = [];
  active = -1;
  commit(false);
}

function left() {
  setTimeout(() => {
    if (isHeld()) return;
    offered = [];
    if (openChip === null) { shownQuery = null; show(now().q); }
    draw();
  }, 150);
}

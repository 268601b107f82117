// One picture over the grid, with its own address: its neighbours are those of the list that it was opened from.
import { canGoBack, go, href, now } from "./address.js";
import { ask, isAborted, askLast, params } from "./api.js";
import * as box from "./box.js";
import { filter } from "./chips.js";
import { decide } from "./decide.js";
import { byId, fileName, html, icon, isShown, isVideo, nothing, original, render, tagName, thumbnail } from "./dom.js";
import { bar, isDuplicate, known, path, strip } from "./facts.js";
import * as images from "./images.js";
import { shownGrid, shownList } from "./pictures.js";
import { smallMap } from "./place.js";
import { number, percent, t } from "./text.js";
import { fail } from "./toast.js";
import { Zoom } from "./zoom.js";

const SIZES = [1280, 2048];
let item = null;
let scores = null;
let alike = null;
let isAdding = false;
let atHand = 0;
let zoom = null;
let wanted = null;
let problem = null;
// When all is known of the picture.
let ready = null;

const dialog = () => byId("viewer");
const hasFacts = () => localStorage.getItem("facts") !== "no";

export function start() {
  dialog().addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  dialog().addEventListener("click", (event) => { if (event.target === dialog()) close(); });
  images.onChange((list, id, change) => { if (item && id === item.id) changed(change); else if (list && list === shownList()) draw(); });
}

export function hide() {
  if (!dialog().open) return;
  const grid = shownGrid();
  const { focused } = grid;
  dialog().close();
  item = null;
  wanted = null;
  zoom?.stop();
  // Not the picture that it was opened from, but the last one.
  if (now().view === "pictures") grid.focus(focused);
}

function close() {
  if (isAdding) { isAdding = false; draw(); return; }
  if (canGoBack()) history.back();
  else go({ view: "pictures", image: "" });
}

// What the list knows of it is shown at once; the rest follows.
export async function show({ image, q, order }) {
  if (wanted === image) return;
  wanted = image;
  const list = shownList() ?? images.list(q, order);
  const place = list.placeOf(image);
  item = list.at(place) ?? null;
  problem = null;
  scores = null;
  alike = null;
  isAdding = false;
  atHand = 0;
  if (place >= 0) shownGrid().setFocused(place);
  draw();
  if (!dialog().open) dialog().showModal();
  dialog().focus();
  ready = reload();
  await ready;
  if (place >= 0) [1, -1].forEach((step) => preload(list.at(place + step)));
  else list.ready.then(draw);
}

// What is known already is shown at once.
function changed(change) {
  item = { ...item, ...change };
  draw();
  reload();
}

async function reload() {
  const id = wanted;
  try {
    const found = await askLast("image", `images/${id}`);
    if (id !== wanted) return;
    item = found;
    draw();
    const [told, near] = await Promise.all([
      askLast("scores", `images/${id}/scores?${params({ q: now().q })}`),
      alike ?? ask(`search?${params({ similar: id, limit: 12 })}`).then((answer) => answer.items),
    ]);
    if (id !== wanted) return;
    scores = told;
    alike = near;
    draw();
  } catch (error) {
    if (isAborted(error) || id !== wanted) return;
    if (item) fail(error);
    else { problem = error; draw(); }
  }
}

const size = () => SIZES.find((one) => one >= Math.max(innerWidth, innerHeight) * devicePixelRatio) ?? SIZES.at(-1);

function preload(other) {
  if (!other) return;
  const image = new Image();
  image.src = thumbnail(other, size());
}

async function step(by) {
  const list = shownList();
  const place = list.placeOf(item?.id) + by;
  if (place < 0 || place >= list.count) return;
  const next = await list.itemAt(place);
  if (next) go({ view: "image", image: next.id }, { replace: true });
}

export function draw() {
  if (!wanted || now().view !== "image") return;
  const list = shownList();
  const place = item ? list.placeOf(item.id) : -1;
  dialog().setAttribute("aria-label", item ? fileName(item.path) : t("looking"));
  document.title = item ? `${fileName(item.path)} – pixdex` : "pixdex";
  render(html`
    <div class="stage">
      <div class="picture">${item ? picture() : problem ? html`<p role="alert">${problem.message}</p>` : nothing}</div>
      <div class="controls">
        <button type="button" class="icon" aria-label=${t("close")} @click=${close}>×</button>
        <span class="place" role="status">${place >= 0 ? t("placeOf", number(place + 1), number(list.count)) : ""}</span>
        <button type="button" class="icon" aria-label=${t("fullScreen")} @click=${fullScreen}>${icon("full")}</button>
        <button type="button" class="icon" aria-pressed=${hasFacts()} aria-label=${t("facts")} @click=${turnFacts}>${icon("facts")}</button>
      </div>
      <button type="button" class="step before" aria-label=${t("previous")} ?disabled=${place <= 0} @click=${() => step(-1)}>‹</button>
      <button type="button" class="step after" aria-label=${t("next")} ?disabled=${place < 0 || place + 1 >= list.count} @click=${() => step(1)}>›</button>
    </div>
    ${item && hasFacts() ? html`<aside class="facts" aria-label=${t("facts")}>${item.paths ? facts() : nothing}</aside>` : nothing}`, dialog());
  const shown = dialog().querySelector(".picture > img");
  if (shown && zoom?.image !== shown) {
    zoom?.stop();
    zoom = new Zoom(shown, { onNear: sharpen, onSwipe: step });
  }
}

// Sizes are known, so nothing moves when it comes.
function picture() {
  if (isVideo(item)) {
    const start = item.time_ms ? `#t=${item.time_ms / 1000}` : "";
    return html`<video controls preload="metadata" poster=${thumbnail(item, 1280)} src=${original(item) + start}></video>`;
  }
  return html`<img alt=${item.tags.map((tag) => tag.label).join(", ") || fileName(item.path)} width=${item.width} height=${item.height}
    src=${thumbnail(item, size())} @error=${() => fail(new Error(t("offlinePicture")))}>`;
}

// Whoever looks closely is shown the original.
function sharpen(image) {
  if (item && isShown(item) && !image.src.endsWith("/file")) {
    const whole = new Image();
    whole.src = original(item);
    whole.decode().then(() => { image.src = whole.src; }, () => {});
  }
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else dialog().requestFullscreen().catch(fail);
}

function turnFacts() {
  localStorage.setItem("facts", hasFacts() ? "no" : "yes");
  draw();
}

// Labels that the picture carries, and those that were rejected: each can be decided.
function rows() {
  const told = new Map((scores?.labels ?? []).map((score) => [tagName(score), score]));
  const carried = item.tags.map((tag) => ({ ...tag, ...told.get(tagName(tag)), isCarried: true, score: told.get(tagName(tag))?.score ?? tag.score }));
  const rejected = [...told.values()].filter((score) => score.decision === "rejected" && !carried.some((tag) => tagName(tag) === tagName(score)));
  return [...carried, ...rejected];
}

function facts() {
  const all = rows();
  return html`
    <h2><bdi>${item.title ?? fileName(item.path)}</bdi></h2>
    <section><h3>${t("labels")}</h3><ul class="labels">${all.map(label)}</ul>${adding()}</section>
    ${scores?.terms.length ? html`<section><h3>${t("why")}</h3><ul class="why">${scores.terms.map(bar)}</ul></section>` : nothing}
    <section class="buttons"><button type="button" @click=${() => find(1)}>${t("likeThis")} <kbd>s</kbd></button>
      <button type="button" @click=${() => find(-0.5)}>${t("unlikeThis")} <kbd>x</kbd></button>
      <a class="button" href=${original(item)} target="_blank" rel="noopener">${t("original")}</a></section>
    <section><h3>${t("facts")}</h3><dl>${known(item).map(([name, value]) => html`<dt>${name}</dt><dd><bdi>${value}</bdi></dd>`)}</dl></section>
    <section><h3>${t("files", item.paths.length)}</h3><ul class="paths">${item.paths.map(path)}</ul></section>
    ${item.latitude == null ? nothing : html`<section><h3>${t("place")}</h3>${smallMap(item, draw)}</section>`}
    ${strip(t("views").duplicates, (alike ?? []).filter(isDuplicate))}${strip(t("similar"), (alike ?? []).filter((other) => !isDuplicate(other)))}`;
}

function label(tag, at) {
  const isKeyword = tag.source === "file";
  const says = tag.decision ? t(tag.decision === "confirmed" ? "saidYes" : "saidNo") : isKeyword ? t("keyword") : t("scoreOf", percent(tag.score), percent(tag.threshold ?? 0));
  return html`<li class="${tag.isCarried ? "" : "rejected"} ${at === atHand ? "at-hand" : ""}">
    <a href=${href({ q: filter("tag", [tagName(tag)]) })}><bdi>${tag.label}</bdi></a><small>${isKeyword ? "" : tag.set}</small>
    ${isKeyword ? nothing : html`<meter min="0" max="1" low=${tag.threshold ?? 0} value=${tag.score} title=${says} aria-label=${says}></meter>`}
    <span class="says">${says}</span>
    ${isKeyword ? nothing : html`<span class="choice">
      <button type="button" aria-pressed=${tag.decision === "confirmed"} aria-label=${t("isIt", tag.label)} @click=${() => choose(tag, "confirmed")}>✓</button>
      <button type="button" aria-pressed=${tag.decision === "rejected"} aria-label=${t("isNot", tag.label)} @click=${() => choose(tag, "rejected")}>✗</button></span>`}</li>`;
}

function choose(tag, decision) {
  const before = tag.decision ?? null;
  decide(item, { set: tag.set, label: tag.label }, before === decision ? null : decision, before).catch(fail);
}

function missing() {
  const carried = new Set(item.tags.map(tagName));
  return (scores?.labels ?? []).filter((score) => !carried.has(tagName(score))).sort((a, b) => b.score - a.score);
}

// A label that the model missed, the likeliest first.
function adding() {
  if (!isAdding) return html`<button type="button" @click=${() => { isAdding = true; draw(); dialog().querySelector("[name=add]").focus(); }}>+ ${t("addLabel")} <kbd>t</kbd></button>`;
  const missed = missing();
  const add = async (event) => {
    event.preventDefault();
    const text = new FormData(event.target).get("add").trim().toLocaleLowerCase();
    const { id } = item;
    await ready;
    // Its reader went on meanwhile.
    if (item?.id !== id) return;
    const missed = missing();
    const found = missed.find((score) => tagName(score).toLocaleLowerCase() === text) ?? missed.find((score) => score.label.toLocaleLowerCase().startsWith(text));
    if (!found) { fail(new Error(t("noSuchLabel", text))); return; }
    isAdding = false;
    choose(found, "confirmed");
    dialog().focus();
    draw();
  };
  return html`<form class="add" @submit=${add}><input name="add" list="missed" autocomplete="off" aria-label=${t("addLabel")} placeholder=${missed[0]?.label ?? ""}>
    <datalist id="missed">${missed.map((score) => html`<option value=${tagName(score)}>${percent(score.score)}</option>`)}</datalist><button>✓</button></form>`;
}

function find(weight) {
  const { id } = item;
  box.addLike(id, weight);
}

export function key(event) {
  if (!item) return false;
  const labels = rows().filter((tag) => tag.source !== "file");
  const decideAtHand = (decision) => {
    const tag = labels[atHand];
    if (tag && (tag.decision ?? null) !== decision) decide(item, { set: tag.set, label: tag.label }, decision, tag.decision ?? null).catch(fail);
  };
  const ways = {
    ArrowLeft: () => step(-1), ArrowRight: () => step(1), Escape: close, f: fullScreen, i: turnFacts,
    ArrowDown: () => { atHand = Math.min(atHand + 1, labels.length - 1); draw(); },
    ArrowUp: () => { atHand = Math.max(0, atHand - 1); draw(); },
    y: () => decideAtHand("confirmed"), n: () => decideAtHand("rejected"), u: () => decideAtHand(null),
    t: () => { isAdding = true; draw(); dialog().querySelector("[name=add]")?.focus(); },
    s: () => find(1), x: () => find(-0.5), "+": () => zoom?.by(1.5), "-": () => zoom?.by(1 / 1.5), 0: () => zoom?.reset(),
  };
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in ways)) return false;
  ways[event.key]();
  return true;
}

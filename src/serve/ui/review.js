// One label, picture by picture, the most uncertain first: a key for each, or a sheet of twelve with all the others right.
import { go, href } from "./address.js";
import { ask, part } from "./api.js";
import { decide } from "./decide.js";
import { fileName, html, nothing, render, thumbnail } from "./dom.js";
import { on } from "./live.js";
import { decimal, number, percent, t } from "./text.js";
import { fail, toast } from "./toast.js";

const QUEUE = 48;
const SHEET = 12;
let root = null;
let shown = null;
let told = null;
let queue = [];
let wrong = new Set();
// Those that were seen, also without an answer: they are not asked for again at once.
let answered = new Set();
let isAsked = false;
let isWanted = false;

const isSheet = () => localStorage.getItem("review") === "sheet";

export function start() {
  on("label_set", () => { if (root) load(); });
}

export function show(state, into) {
  root = into;
  const isSame = shown?.set === state.set && shown?.label === state.label;
  shown = state;
  if (!isSame) { told = null; queue = []; wrong = new Set(); answered = new Set(); }
  draw();
  return load();
}

export const leave = () => { root = null; };

// More to decide about; what is in view stays where it is.
async function load() {
  isWanted = true;
  if (isAsked || !root) return;
  isAsked = true;
  isWanted = false;
  try {
    const { set, label } = shown;
    told = await ask(`label-sets/${part(set)}/labels/${part(label)}/review?limit=${QUEUE}`);
    const known = new Set([...answered, ...queue.map((near) => near.id)]);
    queue = [...queue, ...told.queue.filter((near) => !known.has(near.id))];
    draw();
  } catch (error) {
    fail(error);
  }
  isAsked = false;
  if (isWanted) load();
}

const tag = () => ({ set: shown.set, label: shown.label });

function next(count = 1) {
  queue = queue.slice(count);
  wrong = new Set();
  draw();
}

function answer(decision) {
  const [picture] = queue;
  if (!picture) return;
  answered.add(picture.id);
  next();
  if (decision) decide({ id: picture.id, tags: [] }, tag(), decision).then(load, fail);
}

// Those that were marked are wrong, all the others right.
async function answerSheet() {
  const sheet = queue.slice(0, SHEET).map((near) => near.id);
  const rejected = sheet.filter((id) => wrong.has(id));
  const confirmed = sheet.filter((id) => !wrong.has(id));
  const say = async (decision, images) => { if (images.length) await ask("decisions", { json: { ...tag(), decision, images } }); };
  try {
    await say("confirmed", confirmed);
    await say("rejected", rejected);
    sheet.forEach((id) => answered.add(id));
    next(sheet.length);
    load();
    toast(t("sheetDone", confirmed.length, rejected.length), { undo: async () => { await say(null, sheet); sheet.forEach((id) => answered.delete(id)); await load(); } });
  } catch (error) {
    fail(error);
  }
}

function turn(event) {
  localStorage.setItem("review", event.target.value);
  draw();
}

function draw() {
  if (!root) return;
  render(html`<section class="review"><header><h1><a href=${href({ view: "labels", set: shown.set })}><bdi>${shown.set}</bdi></a> / <bdi>${shown.label}</bdi></h1>
    <label>${t("reviewAs")} <select @change=${turn}><option value="one" ?selected=${!isSheet()}>${t("oneByOne")}</option><option value="sheet" ?selected=${isSheet()}>${t("sheet")}</option></select></label></header>
    ${told ? html`<p class="summary" role="status">${state()}</p>${suggestion()}` : html`<p role="status">${t("looking")}</p>`}
    ${!told ? nothing : !queue.length ? html`<p class="empty">${t("nothingLeft")}</p>` : isSheet() ? sheet() : one()}</section>`, root);
}

function state() {
  const { confirmed, rejected, precision, undecided } = told;
  const sure = precision ? t("precision", percent(precision.share), percent(precision.low), percent(precision.high), precision.of) : t("noPrecision");
  return `${t("answered", number(confirmed), number(rejected), number(undecided))} ${sure}`;
}

function suggestion() {
  const { threshold_for_95: better, threshold } = told;
  if (better === undefined || Math.abs(better - threshold) < 0.005) return nothing;
  const take = async () => {
    const rounded = Math.ceil(better * 100) / 100;
    const change = (value) => ask(`label-sets/${part(shown.set)}`, { method: "PATCH", json: { labels: [{ name: shown.label, threshold: value }] } });
    try {
      await change(Math.min(1, rounded));
      toast(t("thresholdSet", decimal(rounded)), { undo: () => change(threshold) });
      load();
    } catch (error) {
      fail(error);
    }
  };
  return html`<p>${t("keeps95", decimal(better), decimal(threshold))} <button type="button" @click=${take}>${t("takeThreshold")}</button></p>`;
}

function one() {
  const [picture, following] = queue;
  return html`<figure><img class="large" alt=${fileName(picture.path)} src=${thumbnail(picture, 1280)}>
      <figcaption><bdi>${fileName(picture.path)}</bdi> · ${t("scoreOf", percent(picture.score), percent(told.threshold))}</figcaption></figure>
    <div class="answers"><button type="button" class="yes" @click=${() => answer("confirmed")}>✓ ${t("yes")} <kbd>y</kbd></button>
      <button type="button" class="no" @click=${() => answer("rejected")}>✗ ${t("no")} <kbd>n</kbd></button>
      <button type="button" @click=${() => answer(null)}>${t("skipIt")} <kbd>u</kbd></button></div>
    ${following ? html`<img class="hidden" alt="" src=${thumbnail(following, 1280)}>` : nothing}`;
}

function sheet() {
  const mark = (id) => { if (!wrong.delete(id)) wrong.add(id); draw(); };
  return html`<p>${t("markWrong", shown.label)}</p><ul class="sheet">${queue.slice(0, SHEET).map(({ id, path, score }) => html`<li>
      <button type="button" aria-pressed=${wrong.has(id)} aria-label=${t("isNotThis", fileName(path))} @click=${() => mark(id)}><img alt="" src=${thumbnail({ id }, 320)}></button><small>${decimal(score)}</small></li>`)}</ul>
    <div class="answers"><button type="button" class="primary" @click=${answerSheet}>${t("othersRight")} <kbd>Enter</kbd></button></div>`;
}

export function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !told) return false;
  if (event.key === "Escape") { go({ view: "labels", set: shown.set }, { fresh: true }); return true; }
  if (isSheet()) {
    if (event.key !== "Enter") return false;
    answerSheet();
    return true;
  }
  const ways = { y: "confirmed", n: "rejected", u: null };
  if (!(event.key in ways)) return false;
  answer(ways[event.key]);
  return true;
}

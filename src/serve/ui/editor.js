// One label set: its labels as rows, its text, and at once what either would do to the library.
import { go, href } from "./address.js";
import { isAborted } from "./api.js";
import { counted, difference, Draft } from "./draft.js";
import { decide } from "./decide.js";
import { afterPause, fileName, html, nothing, render, svg } from "./dom.js";
import { on } from "./live.js";
import { decimal, number, t } from "./text.js";
import { fail, toast } from "./toast.js";

const PAUSE_MS = 200;
let draft = null;
let root = null;
let dragged = null;
let isOlder = false;
let isText = false;

export function start() {
  on("label_set", ({ set }) => { if (draft && set === draft.name) checkFile(); });
}

// Another editor wrote the file: a text that was not touched follows it, one that was is told.
async function checkFile() {
  const { tag } = draft;
  try {
    await draft.reopen(draft.isChanged);
    if (draft.tag !== tag && draft.isChanged) { isOlder = true; draft.tag = tag; }
    look();
  } catch (error) {
    if (error.status === 404) Object.assign(draft ?? {}, { saved: "", tag: null });
    else if (!isAborted(error)) fail(error);
    draw();
  }
}

export async function show(name, into) {
  root = into;
  if (draft?.name === name) return draw();
  draft = new Draft(name);
  isOlder = false;
  render(html`<p role="status">${t("looking")}</p>`, root);
  try {
    await draft.open();
    look();
  } catch (error) {
    fail(error);
  }
  return draw();
}

// What was typed last is kept in the draft, and what would come of it nobody looks at any more.
export function leave() {
  [lookSoon, typed, settle].forEach((later) => later.cancel());
  draft = root = dragged = null;
}

// What the draft would do, asked for once it rests.
async function look() {
  const looked = draft;
  if (!looked) return;
  draw();
  try {
    await looked.look();
    if (dragged?.isDone) dragged = null;
  } catch (error) {
    if (isAborted(error)) return;
    looked.error = error.message;
  }
  if (looked === draft) draw();
}
const lookSoon = afterPause(PAUSE_MS, look);

async function change(edit) {
  if (!draft) return;
  try {
    await draft.change(edit);
    lookSoon();
    draw();
  } catch (error) {
    if (!isAborted(error)) fail(error);
  }
}
const changeLabel = (name, edit) => change({ labels: [{ name, ...edit }] });

// Kept at once, and looked at when it rests.
function write({ target }) {
  draft.text = target.value;
  draft.keep();
  typed(target.value);
}

const typed = afterPause(PAUSE_MS, async (text) => {
  try {
    await draft.write(text);
    look();
  } catch (error) {
    if (!isAborted(error)) fail(error);
  }
});

function draw() {
  if (!root || !draft) return;
  const labels = draft.set?.labels ?? [];
  render(html`<section class="editor">
    <header><h1><a href="/labels">${t("views").labels}</a> / <bdi>${draft.name}</bdi></h1>${saving()}</header>
    ${draft.error ? html`<p class="wrong" role="alert">${draft.error}</p>` : nothing}
    ${(draft.preview?.warnings ?? []).map((warning) => html`<p class="warning">${warning}</p>`)}
    <div class="columns"><div class="rows"><table><caption class="hidden">${t("labels")}</caption>
      <thead><tr><th scope="col">${t("label")}</th><th scope="col">${t("threshold")}</th><th scope="col">${t("images")}</th><th scope="col">${t("change")}</th></tr></thead>
      <tbody>${labels.map(row)}</tbody></table>
      <form class="buttons" @submit=${addLabel}><input name="name" required aria-label=${t("newLabel")} placeholder=${t("newLabel")}><button>+</button></form>
      <details ?open=${isText} @toggle=${(event) => { isText = event.target.open; }}><summary>${t("text")}</summary>
        <textarea spellcheck="false" rows="24" aria-label=${t("text")} .value=${draft.text} @input=${write}></textarea></details></div>
      <div class="closer">${draft.chosen ? closer(labels.find((label) => label.name === draft.chosen)) : nothing}</div></div></section>`, root);
}

function addLabel(event) {
  event.preventDefault();
  const name = new FormData(event.target).get("name").trim();
  event.target.reset();
  draft.chosen = name;
  changeLabel(name, {});
}

function saving() {
  const { added, removed } = draft.preview ?? {};
  const lines = difference(draft.saved, draft.text);
  const sum = draft.preview ? html`<span role="status">${t("wouldChange", number(added), number(removed))}</span>` : nothing;
  if (!draft.isChanged) return html`<div class="buttons">${sum}<button type="button" @click=${remove}>${t("deleteSet")}</button></div>`;
  return html`<div class="buttons">${sum}
    ${isOlder ? html`<p class="warning" role="alert">${t("otherEditor")} <button type="button" @click=${theirs}>${t("takeTheirs")}</button>
      <button type="button" @click=${mine}>${t("keepMine")}</button></p>` : nothing}
    <details><summary>${t("linesChanged", lines.removed.length, lines.added.length)}</summary>
      <pre class="difference">${lines.removed.map((line) => html`<del>− ${line}\n</del>`)}${lines.added.map((line) => html`<ins>+ ${line}\n</ins>`)}</pre></details>
    <button type="button" @click=${() => { typed.cancel(); draft.write(draft.saved).then(look, fail); }}>${t("discard")}</button>
    <button type="button" class="primary" ?disabled=${Boolean(draft.error)} @click=${save}>${t("save")}</button></div>`;
}

async function save() {
  try {
    const { applied, undo } = await draft.save();
    isOlder = false;
    toast(t("saved", number(applied.added), number(applied.removed)), { undo: async () => { await undo(); await draft?.reopen(); look(); } });
    look();
  } catch (error) {
    if (error.status === 412) { isOlder = true; draw(); } else fail(error);
  }
}

const theirs = () => draft.reopen().then(() => { isOlder = false; look(); }, fail);
const mine = () => draft.reopen(true).then(() => { isOlder = false; look(); }, fail);

async function remove() {
  const { saved, name } = draft;
  if (!confirm(t("sureDelete", name))) return;
  try {
    await draft.remove();
    const again = new Draft(name);
    again.text = saved;
    toast(t("deleted", name), { undo: () => again.save() });
    go({ view: "labels" }, { fresh: true });
  } catch (error) {
    fail(error);
  }
}

function row(label) {
  const isChosen = label.name === draft.chosen;
  const told = draft.preview?.labels.find((one) => one.label === label.name);
  const at = isChosen && dragged && told?.steps ? { ...told, ...counted(told, dragged.threshold), threshold: dragged.threshold } : told;
  const choose = () => { draft.chosen = label.name; dragged = null; look(); };
  return html`<tr class=${isChosen ? "chosen" : ""}><th scope="row"><button type="button" class="plain" aria-pressed=${isChosen} @click=${choose}><bdi>${label.name}</bdi></button>
      ${label.parent ? html`<small>⊂ ${label.parent}</small>` : nothing}</th>
    <td>${at ? decimal(at.threshold) : ""}</td><td>${at ? number(at.images) : ""}</td>
    <td class="change">${at ? html`<ins>+${number(at.added)}</ins> <del>−${number(at.removed)}</del>` : ""}</td></tr>`;
}

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

function closer(label) {
  if (!label) return nothing;
  const told = draft.preview?.labels.find((one) => one.label === label.name);
  const name = label.name;
  const threshold = dragged?.threshold ?? told?.threshold ?? label.threshold ?? draft.set.threshold;
  const drag = (event) => { dragged = { threshold: Number(event.target.value) }; draw(); settle(name); };
  return html`<h2><bdi>${name}</bdi></h2>
    ${told ? histogram(told, threshold) : nothing}
    <label class="threshold">${t("threshold")} <output>${decimal(threshold)}</output>
      <input type="range" min="0.01" max="1" step="0.01" .value=${String(threshold)} @input=${drag}></label>
    ${label.threshold == null ? nothing : html`<button type="button" @click=${() => changeLabel(name, { threshold: null })}>${t("usualThreshold")}</button>`}
    <a class="button" href=${href({ view: "review", set: draft.name, label: name })}>${t("review")}</a>
    ${told ? html`<h3>${t("justKept")}</h3>${near(told.above, name)}<h3>${t("justMissed")}</h3>${near(told.below, name)}` : nothing}
    <div class="fields">
      <label>${t("name")} <input .value=${name} @change=${(event) => { draft.chosen = event.target.value; changeLabel(name, { rename: event.target.value }); }}></label>
      <label>${t("prompts")} <textarea rows="3" placeholder=${name} .value=${label.prompts.join("\n")} @change=${(event) => changeLabel(name, { prompts: lines(event.target.value) })}></textarea></label>
      <label>${t("negatives")} <textarea rows="2" .value=${label.negative.join("\n")} @change=${(event) => changeLabel(name, { negative: lines(event.target.value) })}></textarea></label>
      <label>${t("parent")} <select @change=${(event) => changeLabel(name, { parent: event.target.value || null })}><option value="">–</option>
        ${draft.set.labels.filter((other) => other.name !== name).map((other) => html`<option value=${other.name} ?selected=${other.name === label.parent}>${other.name}</option>`)}</select></label>
      <label><input type="checkbox" .checked=${Boolean(label.learn)} @change=${(event) => changeLabel(name, { learn: event.target.checked })}> ${t("learn")}</label>
      <div class="examples" @dragover=${(event) => event.preventDefault()} @drop=${(event) => drop(event, label)}><p>${t("examples", (label.examples ?? []).length)}</p>
        ${(label.examples ?? []).map((example) => html`<span class="example">${/^[0-9a-f]{64}$/.test(example) ? html`<img alt=${t("example")} src=${`/api/v1/images/${example}/thumbnail?size=160`}>` : example}
          <button type="button" class="drop" aria-label=${t("removePart", t("example"))} @click=${() => changeLabel(name, { examples: label.examples.filter((other) => other !== example) })}>×</button></span>`)}</div>
      <button type="button" @click=${() => changeLabel(name, { remove: true })}>${t("removeLabel")}</button></div>`;
}

// While it is dragged only the counts follow, from what is known; where it rests, the text does.
const settle = afterPause(PAUSE_MS, (name) => {
  if (!dragged) return;
  dragged.isDone = true;
  changeLabel(name, { threshold: dragged.threshold });
});

function drop(event, label) {
  const id = event.dataTransfer.getData("application/x-pixdex-image");
  if (!id) return;
  event.preventDefault();
  event.stopPropagation();
  changeLabel(label.name, { examples: [...new Set([...(label.examples ?? []), id])] });
}

function histogram({ histogram: bars }, threshold) {
  const most = Math.log1p(Math.max(1, ...bars));
  const height = (count) => (100 * Math.log1p(count)) / most;
  return html`<svg class="histogram" viewBox="0 0 200 100" preserveAspectRatio="none" role="img" aria-label=${t("histogram")}>
    ${[false, true].map((isKept) => svg`<path class=${isKept ? "kept" : ""} d=${bars.map((count, at) => (at / bars.length >= threshold === isKept ? bar(at, height(count)) : "")).join("")}></path>`)}
    <path class="line" d=${`M${threshold * 200} 0v100`}></path></svg>`;
}
const bar = (at, height) => `M${at * 10 + 0.5} 100v${-height}h9v${height}z`;

// Pictures on one side of the threshold: what is answered here stays, whatever becomes of the text.
function near(pictures, label) {
  const say = (picture, decision) => decide({ id: picture.id, tags: [] }, { set: draft.name, label }, decision).then(look, fail);
  return html`<ul class="near">${pictures.map((picture) => html`<li draggable="true" @dragstart=${(event) => event.dataTransfer.setData("application/x-pixdex-image", picture.id)}>
    <a href=${href({ view: "image", image: picture.id })}><img loading="lazy" alt=${fileName(picture.path)} src=${`/api/v1/images/${picture.id}/thumbnail?size=160`}></a>
    <small>${decimal(picture.score)}</small>
    <span class="choice"><button type="button" aria-label=${t("isIt", label)} @click=${() => say(picture, "confirmed")}>✓</button>
      <button type="button" aria-label=${t("isNot", label)} @click=${() => say(picture, "rejected")}>✗</button></span></li>`)}</ul>`;
}

// The page: asks the same HTTP interface that everyone else uses. Its state is the address, so that links and "back" work.
"use strict";

const PAGE = 60;
const element = (id) => document.getElementById(id);
let shown = 0;
let total = null;
// The picture that the reader brought: too long for the address, so a reload forgets it.
let picture = null;

async function ask(path, options = {}) {
  const headers = options.body ? { "content-type": "application/json" } : {};
  const response = await fetch(path, { ...options, headers });
  if (response.status === 401) location.assign("/login");
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function state() {
  const params = new URLSearchParams(location.search);
  const brought = params.get("picture") === picture?.name ? picture : null;
  return { q: params.get("q") || "", similar: params.get("similar") || "", brought, tags: params.getAll("tag") };
}

function go({ q = "", similar = "", brought = null, tags = [] }) {
  const params = new URLSearchParams();
  if (q) params.set("q", q);
  if (similar) params.set("similar", similar);
  if (brought) params.set("picture", brought.name);
  tags.forEach((tag) => params.append("tag", tag));
  history.pushState(null, "", "?" + params);
  show();
}

function address(wanted, cursor) {
  const params = new URLSearchParams({ limit: PAGE });
  wanted.tags.forEach((tag) => params.append("tag", tag));
  if (cursor) params.set("cursor", cursor);
  if (wanted.similar) params.set("similar", wanted.similar);
  else if (wanted.q) params.set("q", wanted.q);
  // What all hits have in common is counted once, with the first page.
  if (isSearch(wanted) && !cursor) params.set("facets", true);
  return (wanted.q || wanted.similar ? "/api/v1/search?" : "/api/v1/images?") + params;
}

// Words that stand beside a picture that the reader brought are a part of what to look for; other words take its place.
function find(wanted, cursor) {
  if (!wanted.brought) return ask(address(wanted, cursor));
  const { q, tags, brought } = wanted;
  const query = { q, terms: [{ upload: brought.base64 }], filter: { tags: { all: tags } }, limit: PAGE, cursor, facets: !cursor };
  return ask("/api/v1/search", { method: "POST", body: JSON.stringify(query) });
}

async function bring(file) {
  const reader = new FileReader();
  const read = new Promise((resolve, reject) => { reader.onload = resolve; reader.onerror = () => reject(reader.error); });
  reader.readAsDataURL(file);
  await read;
  picture = { name: file.name, base64: reader.result.split(",")[1] };
  go({ ...state(), similar: "", brought: picture });
}

const isSearch = (wanted) => Boolean(wanted.q || wanted.similar || wanted.brought);
const fileName = (path) => path.split(/[\\/]/).pop();
// Of a video, the frame that fits best.
const frame = (item) => item.time_ms === undefined ? "" : `&time_ms=${item.time_ms}`;
const thumbnail = (item, size) => `/api/v1/images/${item.id}/thumbnail?size=${size}${frame(item)}`;

// Minutes and seconds.
const clock = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
const seenAt = (item) => item.time_ms === undefined ? "" : `▶ ${clock(item.time_ms)}`;
const length = (item) => item.duration_ms === undefined ? "" : `${seenAt(item)} of ${clock(item.duration_ms)}`;

// Keywords of files have no scores, and nothing to decide about.
const isKeyword = (tag) => tag.source === "file";
const percent = (tag) => make("small", { textContent: isKeyword(tag) ? "" : tag.decision ? "✓" : Math.round(tag.score * 100) + " %" });

function tagList(item) {
  return item.tags.map((tag) => make("span", { className: "tag", title: tag.set }, tag.label, percent(tag)));
}

function card(item) {
  const image = make("img", { src: thumbnail(item, 320), alt: item.tags.map((tag) => tag.label).join(", ") || fileName(item.path), loading: "lazy" });
  const name = make("span", { textContent: fileName(item.path), title: item.paths.join("\n") });
  const told = [seenAt(item), item.is_named ? "name" : item.score?.toFixed(3)].filter(Boolean).join(" · ");
  const title = item.z === undefined ? "" : `${item.z.toFixed(1)} standard deviations above the library's mean`;
  const score = make("span", { className: "score", textContent: told, title });
  const open = make("button", { type: "button", ariaLabel: "Open " + fileName(item.path), onclick: () => guarded(detail(item)) }, image);
  return make("figure", {}, open, make("figcaption", {}, make("div", { className: "name" }, name, score), ...tagList(item)));
}

// What the reader decided about a picture wins over its scores: each tag can be confirmed or rejected, and taken back.
async function decidedTags(item) {
  const { decisions } = await ask("/api/v1/decisions?image=" + item.id);
  const rejected = decisions.filter((decision) => decision.decision === "rejected");
  const kept = item.tags.map((tag) => {
    if (isKeyword(tag)) return make("span", { className: "tag", title: "keyword in the file" }, tag.label);
    const isConfirmed = tag.decision === "confirmed";
    const confirm = choice("✓", isConfirmed ? "Take back" : "It is", () => decide(item, tag, isConfirmed ? null : "confirmed"));
    confirm.setAttribute("aria-pressed", isConfirmed);
    const reject = choice("✗", "It is not", () => decide(item, tag, "rejected"));
    const score = isConfirmed ? [] : [percent(tag)];
    return make("span", { className: "tag", title: tag.set }, tag.label, ...score, confirm, reject);
  });
  const gone = rejected.map((tag) => make("span", { className: "tag rejected", title: tag.set },
    make("s", { textContent: tag.label }), choice("↺", "Take back", () => decide(item, tag, null))));
  return [...kept, ...gone];
}

function choice(sign, title, onclick) {
  return make("button", { type: "button", textContent: sign, title, ariaLabel: title, onclick: () => guarded(onclick()) });
}

async function decide(item, tag, decision) {
  const part = encodeURIComponent;
  const path = `/api/v1/images/${item.id}/decisions/${part(tag.set)}/${part(tag.label)}`;
  await ask(path, decision ? { method: "PUT", body: JSON.stringify({ decision }) } : { method: "DELETE" });
  await detail(await ask(`/api/v1/images/${item.id}`));
  show();
}

// A date that only the file's name or its time tells is a guess.
function takenAt(item) {
  const mark = item.date_source?.startsWith("file_") ? "≈ " : "";
  return item.taken_at && mark + item.taken_at.replace("T", " ");
}

async function detail(item) {
  const tags = await decidedTags(item);
  const dialog = element("detail");
  const facts = [`${item.width} × ${item.height}`, item.format, length(item), takenAt(item), item.camera].filter(Boolean);
  const close = make("button", { type: "button", textContent: "Close", onclick: () => dialog.close() });
  const similar = make("button", { type: "button", textContent: "More like this", onclick: () => { dialog.close(); go({ similar: item.id }); } });
  const original = make("a", { href: `/api/v1/images/${item.id}/file`, target: "_blank", textContent: "Original" });
  dialog.replaceChildren(
    make("img", { src: thumbnail(item, 1280), alt: fileName(item.path) }),
    ...item.paths.map((path) => make("p", { textContent: path })),
    make("p", { textContent: facts.join(" · ") }),
    make("p", {}, ...tags),
    make("div", { className: "buttons" }, similar, close, original),
  );
  if (!dialog.open) dialog.showModal();
}

function summary(wanted, answer, count) {
  const like = wanted.similar ? "like the picture you chose" : wanted.brought ? `like ${wanted.brought.name}` : "";
  const words = wanted.q && !wanted.similar ? `for “${wanted.q}”` : "";
  const what = [like, words].filter(Boolean).join(" and ") || "newest first";
  const tags = wanted.tags.length ? ` · tagged ${wanted.tags.join(" and ")}` : "";
  if (!count) return isSearch(wanted) || tags ? `Nothing found ${what}${tags}` : "No pictures yet";
  if (answer.fits === false) return `Nothing fits well; the nearest ${what}${tags}`;
  const all = total ?? (answer.cursor ? null : count);
  const pictures = count === 1 ? "picture" : "pictures";
  return (all === count ? "" : all ? `${count} of ` : "first ") + `${all ?? count} ${pictures} ${what}${tags}`;
}

async function load(wanted, cursor) {
  const answer = await find(wanted, cursor);
  if (!cursor) { element("pictures").replaceChildren(); shown = 0; total = answer.total; }
  element("pictures").append(...answer.items.map(card));
  shown += answer.items.length;
  element("summary").textContent = summary(wanted, answer, shown);
  element("more").hidden = !answer.cursor;
  element("more").onclick = () => guarded(load(wanted, answer.cursor));
  return answer;
}

// Beside a search stand the labels of what it found, else those of the library.
async function tags(wanted, { facets }) {
  const { tags } = facets ?? await ask("/api/v1/tags");
  const sets = Map.groupBy(tags.filter((tag) => tag.count), (tag) => tag.set);
  const nodes = [];
  for (const [set, labels] of [...sets].sort()) {
    nodes.push(make("h2", { textContent: set }), ...labels.map((tag) => tagButton(`${set}/${tag.label}`, tag, wanted)));
  }
  element("tags").replaceChildren(...nodes);
}

function tagButton(name, tag, wanted) {
  const isOn = wanted.tags.includes(name);
  const next = isOn ? wanted.tags.filter((other) => other !== name) : [...wanted.tags, name];
  const button = make("button", { type: "button", onclick: () => go({ ...wanted, tags: next }) }, tag.label, make("small", { textContent: tag.count }));
  button.setAttribute("aria-pressed", isOn);
  return button;
}

async function status() {
  const { images, progress, files } = await ask("/api/v1/status");
  const waiting = progress.queued ? ` · ${progress.queued} waiting` : "";
  const failed = files.failed ? ` · ${files.failed} failed` : "";
  element("status").textContent = `${images} pictures${waiting}${failed}`;
  return images + ":" + progress.queued;
}

function guarded(promise) {
  return promise.catch((error) => { element("summary").textContent = error.message; });
}

function show() {
  const wanted = state();
  element("query").value = wanted.q;
  guarded(load(wanted).then((answer) => tags(wanted, answer)));
}

// Pictures that come in show up without a click, as long as the reader has not asked for more.
let last = null;
async function follow() {
  const now = await status().catch(() => last);
  if (last !== null && now !== last && shown <= PAGE && !element("detail").open) show();
  last = now;
}

element("search").onsubmit = (event) => { event.preventDefault(); go({ ...state(), similar: "", brought: null, q: element("query").value.trim() }); };
element("picture").onchange = ({ target }) => { if (target.files[0]) guarded(bring(target.files[0])); target.value = ""; };
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) guarded(bring(event.dataTransfer.files[0])); };
window.onpopstate = show;
show();
follow();
setInterval(follow, 2000);

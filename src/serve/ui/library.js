// How the library stands: what is being done, what is in the way, and who may ask. A dot in the bar says the most of it.
import { href } from "./address.js";
import { ask, askLast, isAborted, part } from "./api.js";
import { html, nothing, render } from "./dom.js";
import { isAway, on } from "./live.js";
import { examples, savedSearches } from "./pictures.js";
import { bytes, duration, moment, number, percent, t } from "./text.js";
import { fail, toast } from "./toast.js";

let root = null;
let status = null;
let details = null;
let begun = null;
let redrawBar = () => {};

export function start(bar) {
  redrawBar = bar;
  on("progress", progressed);
  on("root failure model label_set label_file missed here", refresh);
  on("away", redrawBar);
  refresh();
}

// Numbers of the stream are enough while files are read; the rest is asked for when that is done.
function progressed({ queued, indexed, failed }) {
  if (!status) return;
  const { progress } = status;
  const isNew = queued > 0 && !progress.queued;
  if (isNew || !begun) begun = { at_ms: performance.now(), indexed };
  status = { ...status, progress: { ...progress, queued, indexed, failed } };
  redrawBar();
  draw();
  if (!queued) { begun = null; refresh(); }
}

async function refresh() {
  try {
    status = await askLast("status", "status");
    redrawBar();
    if (root) await load();
  } catch (error) {
    if (!isAborted(error)) redrawBar();
  }
}

// The worst that there is to say.
function state() {
  if (isAway()) return ["away", t("dotAway")];
  if (!status) return ["idle", t("looking")];
  const { progress, roots, label_sets: sets, hooks, model } = status;
  if (progress.trouble) return ["wrong", t("dotTrouble")];
  const away = roots.filter((one) => one.watched && !one.online).length;
  if (away) return ["warn", t("dotRoots", away)];
  if (Object.values(sets).some((set) => set.error)) return ["warn", t("dotLabels")];
  if (Object.values(hooks).some((hook) => hook.declared && hook.error)) return ["warn", t("dotHooks")];
  if (progress.queued) return ["busy", t("dotBusy", percent(share(progress)))];
  if (model.next) return ["busy", t("dotModel", percent(model.next.embedded / Math.max(1, model.next.images)))];
  return ["well", t("dotWell")];
}

const share = ({ queued, indexed, failed }) => (indexed + failed) / Math.max(1, indexed + failed + queued);

export function dot(view) {
  const [kind, says] = state();
  return html`<a class="dot ${kind}" href="/library" aria-current=${view === "library" ? "page" : nothing} title=${says}><i aria-hidden="true"></i><span>${kind === "well" || kind === "idle" ? t("views").library : says}</span></a>`;
}

export function show(_, into) {
  root = into;
  draw();
  load();
}

export const leave = () => { root = null; };

async function load() {
  try {
    const [failures, roots, searches, who] = await Promise.all([ask("failures?limit=200&total=true"), ask("roots"), savedSearches(), ask("whoami")]);
    const isOwner = who.scope === "admin";
    const tokens = isOwner ? (await ask("tokens")).tokens : null;
    details = { failures, roots: roots.roots, searches, tokens, isOwner };
    draw();
  } catch (error) {
    if (!isAborted(error)) fail(error);
  }
}


function draw() {
  if (!root || !status) return;
  const { files, images, progress, waiting, hooks, label_sets: sets, watching } = status;
  render(html`<section class="library"><h1>${t("views").library}</h1>
    <p class="summary" role="status">${t("pictures", images, number(images))}${progress.queued ? nothing : ` · ${t("allRead")}`}</p>
    ${progress.queued ? reading(progress) : nothing}
    ${progress.trouble ? html`<p class="wrong" role="alert">${progress.trouble.reason}</p>` : nothing}
    ${tips()}
    <h2>${t("folders")}</h2><ul class="plain">${(details?.roots ?? []).map(folder)}</ul>
    ${watching.polled.length || watching.unwatched ? html`<p class="warning">${t("polled", watching.polled.join(", "), watching.poll_interval_s, watching.unwatched)}</p>` : nothing}
    <h2>${t("notRead")}</h2>${waiting.map((group) => html`<p class="warning">${t("waits", group.files, group.reason, moment(group.next_try_at))}</p>`)}${failures(files.failed ?? 0)}
    <h2>${t("labels")}</h2><ul class="plain">${Object.entries(sets).map(labelSet)}</ul>
    <h2>${t("model")}</h2>${model()}
    ${Object.keys(hooks).length ? html`<h2>${t("hooks")}</h2><ul class="plain">${Object.entries(hooks).map(hook)}</ul>` : nothing}
    <h2>${t("searches")}</h2>${searches()}
    ${details?.isOwner ? html`<h2>${t("tokens")}</h2>${tokens()}` : nothing}
    <p><a href="/api/v1/docs" target="_blank" rel="noopener">${t("interface")}</a> · pixdex ${status.version}</p></section>`, root);
}

function reading(progress) {
  const rate = begun ? (progress.indexed - begun.indexed) / ((performance.now() - begun.at_ms) / 1000) : 0;
  return html`<p><progress max="1" value=${share(progress)} aria-label=${t("reading")}></progress>
    ${t("readingOf", number(progress.indexed + progress.failed), number(progress.indexed + progress.failed + progress.queued))}
    ${rate > 0 ? html`· ${t("rate", number(Math.round(rate)))} · ${t("left", duration(progress.queued / rate))}` : nothing}</p>`;
}

// What can be asked of this very library.
function tips() {
  const labels = examples();
  if (!labels.length) return nothing;
  return html`<p>${t("tryThis")} ${labels.map((label) => html`<a class="button" href=${href({ q: label })}><bdi>${label}</bdi></a> `)}</p>`;
}

function folder({ path, online, watched, files }) {
  const says = !watched ? t("notWatched") : online ? t("online") : t("offline");
  return html`<li><bdi>${path}</bdi> <small>${t("files", files)} · <b class=${watched && !online ? "wrong" : ""}>${says}</b></small></li>`;
}

function failures(count) {
  const told = details?.failures;
  if (!told) return nothing;
  const retry = async () => {
    try {
      const { files } = await ask("failures/retry", { method: "POST" });
      toast(t("retried", number(files)));
    } catch (error) {
      fail(error);
    }
  };
  const all = [...told.failures, ...told.waiting];
  if (!all.length) return html`<p>${t("noFailures")}</p>`;
  return html`<p>${t("failedFiles", told.total ?? count, number(told.total ?? count))} ${details.isOwner ? html`<button type="button" @click=${retry}>${t("tryAgain")}</button>` : nothing}</p>
    <details ?open=${all.length < 8}><summary>${t("showThem")}</summary><ul class="plain">${all.map(({ path, reason }) => html`<li><bdi>${path}</bdi><br><small>${reason}</small></li>`)}</ul></details>`;
}

function labelSet([name, { labels, error, warnings }]) {
  return html`<li><a href=${href({ view: "labels", set: name })}><bdi>${name}</bdi></a> <small>${t("labelsOf", labels)}</small>
    ${error ? html`<br><span class="wrong">${error}</span>` : nothing}${warnings.map((warning) => html`<br><span class="warning">${warning}</span>`)}</li>`;
}

function model() {
  const { model: { name, device, precision, embedding_dim: length, next }, index, decoding } = status;
  return html`<ul class="plain"><li><bdi>${name}</bdi> <small>${device} · ${precision} · ${length}</small></li>
    ${next ? html`<li>${t("changing", next.name)} <progress max=${next.images} value=${next.embedded} aria-label=${t("changing", next.name)}></progress>
      ${next.left_s == null ? nothing : t("left", duration(next.left_s))} ${next.trouble ? html`<span class="wrong">${next.trouble}</span>` : nothing}</li>` : nothing}
    <li>${t("index", number(index.images), index.graph_images == null ? t("exact") : t("graph", number(index.graph_images)))}</li>
    <li>${t("memory", status.memory_bytes ? bytes(status.memory_bytes) : "–", bytes(decoding.in_use_bytes), bytes(decoding.memory_bytes))}</li></ul>`;
}

function hook([name, { declared, waiting, delivered, dropped, given_up: gaveUp, error, given_up_for: reason }]) {
  return html`<li><bdi>${name}</bdi> <small>${declared ? "" : t("notDeclared")} ${t("hookCounts", number(delivered), number(waiting), number(dropped), number(gaveUp))}</small>
    ${error ? html`<br><span class="wrong">${error}</span>` : nothing}${reason ? html`<br><span class="warning">${reason}</span>` : nothing}</li>`;
}

function searches() {
  const all = details?.searches ?? [];
  if (!all.length) return html`<p>${t("noSearches")}</p>`;
  const remove = async ({ name, q, order }) => {
    try {
      await ask(`searches/${part(name)}`, { method: "DELETE" });
      all.splice(all.findIndex((one) => one.name === name), 1);
      draw();
      toast(t("deleted", name), { undo: () => ask(`searches/${part(name)}`, { method: "PUT", json: { q, order: order ?? null } }) });
    } catch (error) {
      fail(error);
    }
  };
  return html`<ul class="plain">${all.map((one) => html`<li><a href=${href({ q: one.q, order: one.order })}><bdi>${one.name}</bdi></a> <small>${one.q}</small>
    <button type="button" class="drop" aria-label=${t("removePart", one.name)} @click=${() => remove(one)}>×</button></li>`)}</ul>`;
}

function tokens() {
  const add = async (event) => {
    event.preventDefault();
    const form = event.target;
    try {
      const { token } = await ask("tokens", { json: Object.fromEntries(new FormData(form)) });
      form.reset();
      await load();
      render(html`<p role="status">${t("newToken")} <code>${token}</code></p>`, form.nextElementSibling);
    } catch (error) {
      fail(error);
    }
  };
  const remove = async (name) => {
    if (!confirm(t("sureDelete", name))) return;
    await ask(`tokens/${part(name)}`, { method: "DELETE" }).then(load, fail);
  };
  return html`<ul class="plain">${details.tokens.map(({ name, scope, last_used_at: used }) => html`<li><bdi>${name}</bdi> <small>${scope} · ${used ? t("lastUsed", used.slice(0, 10)) : t("neverUsed")}</small>
      <button type="button" class="drop" aria-label=${t("removePart", name)} @click=${() => remove(name)}>×</button></li>`)}</ul>
    <form class="buttons" @submit=${add}><input name="name" required maxlength="64" aria-label=${t("tokenName")} placeholder=${t("tokenName")}>
      <select name="scope" aria-label=${t("scope")}>${["read", "label", "admin"].map((scope) => html`<option>${scope}</option>`)}</select><button>+ ${t("newToken2")}</button></form><div></div>`;
}

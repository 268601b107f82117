// All label sets, and the one that is looked at.
import { go, href } from "./address.js";
import { ask } from "./api.js";
import { filter } from "./chips.js";
import * as editor from "./editor.js";
import { html, nothing, render } from "./dom.js";
import { on } from "./live.js";
import { number, t } from "./text.js";
import { fail } from "./toast.js";

let root = null;
let shown = null;
let sets = null;
let tags = [];

export function start() {
  on("label_set label_file decision missed", () => { if (root && !shown.set) load(); });
  editor.start();
}

export function show(state, into) {
  root = into;
  shown = state;
  if (state.set) return editor.show(state.set, into);
  draw();
  return load();
}

export function leave() {
  root = null;
  editor.leave();
}

async function load() {
  try {
    const [all, counted] = await Promise.all([ask("label-sets"), ask("tags")]);
    sets = all.label_sets;
    tags = counted.tags;
    draw();
  } catch (error) {
    fail(error);
  }
}

function draw() {
  if (!root || shown.set) return;
  const add = (event) => {
    event.preventDefault();
    go({ view: "labels", set: new FormData(event.target).get("name").trim() }, { fresh: true });
  };
  render(html`<section class="sets"><h1>${t("views").labels}</h1><p>${t("labelsHelp")}</p>
    ${sets ? html`<ul class="cards">${Object.entries(sets).map(card)}</ul>` : html`<p role="status">${t("looking")}</p>`}
    <form class="buttons" @submit=${add}><input name="name" required maxlength="100" pattern="[^.\\/][^\\/]*" aria-label=${t("setName")} placeholder=${t("setName")}>
      <button>+ ${t("newSet")}</button></form></section>`, root);
}

function card([name, set]) {
  const own = tags.filter((tag) => tag.set === name);
  const link = (tag) => html`<a href=${href({ q: filter("tag", [`${name}/${tag.label}`]) })}><bdi>${tag.label}</bdi> <small>${number(tag.count)}</small></a>`;
  return html`<li><h2><a href=${href({ view: "labels", set: name })}><bdi>${name}</bdi></a></h2>
    ${set.error ? html`<p class="wrong">${set.error}</p>` : nothing}
    ${(set.warnings ?? []).map((warning) => html`<p class="warning">${warning}</p>`)}
    <p>${t("labelsOf", set.labels?.length ?? 0)} · ${set.mode === "exclusive" ? t("exclusive") : t("independent")}</p>
    <p class="chips">${own.slice(0, 12).map(link)}</p></li>`;
}

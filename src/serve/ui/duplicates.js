// What is the same, or looks the same, side by side: which is the largest and the oldest, and where each lies. Nothing is deleted here.
import { askLast, isAborted, params } from "./api.js";
import { go, href, now } from "./address.js";
import { fileName, html, nothing, render, thumbnail } from "./dom.js";
import { bytes, number, percent, t, time } from "./text.js";
import { fail, toast } from "./toast.js";

const PAGE = 30;
let root = null;
let found = null;
let asked = "";

export function show(state, into) {
  root = into;
  draw();
  load(state);
}

async function load({ by, similarity, q }, cursor) {
  const wanted = params({ by: by || "similarity", similarity: by === "hash" ? "" : similarity || "0.97", q, limit: PAGE, cursor });
  if (wanted === asked) return;
  asked = wanted;
  try {
    const answer = await askLast("duplicates", `duplicates?${wanted}`);
    found = cursor ? { ...answer, groups: [...found.groups, ...answer.groups] } : answer;
    draw();
  } catch (error) {
    asked = "";
    if (!isAborted(error)) fail(error);
  }
}

function draw() {
  const state = now();
  const by = state.by || "similarity";
  const ways = { similarity: t("byLook"), hash: t("byBytes") };
  render(html`<section class="duplicates"><h1>${t("views").duplicates}</h1>
    <div class="buttons">${Object.entries(ways).map(([way, name]) => html`<label><input type="radio" name="by" ?checked=${way === by} @change=${() => go({ by: way })}>${name}</label>`)}
      ${by === "similarity" ? html`<label>${t("similarity")} <input type="range" min="0.9" max="0.999" step="0.005" .value=${state.similarity || "0.97"}
        @change=${(event) => go({ similarity: event.target.value }, { replace: true })}> ${percent(Number(state.similarity || 0.97))}</label>` : nothing}</div>
    <p class="summary" role="status">${found ? t("groups", found.total, number(found.total)) : t("looking")} ${t("deletesNothing")}</p>
    ${(found?.groups ?? []).map(group)}
    ${found?.cursor ? html`<button type="button" @click=${() => load(state, found.cursor)}>${t("more")}</button>` : nothing}</section>`, root);
}

// Files that are the same are one picture with several paths.
function group({ images, similarity }) {
  const files = images.length > 1 ? images.map((image) => ({ image, path: image.path })) : images[0].paths.map((path) => ({ image: images[0], path }));
  const largest = Math.max(...images.map((image) => image.width * image.height));
  const oldest = images.map((image) => image.taken_at ?? "~").sort()[0];
  return html`<article class="group" aria-label=${t("groupOf", files.length)}><header><small>${images.length > 1 ? t("alike", percent(similarity)) : t("same")}</small></header>
    <ul>${files.map(({ image, path }) => html`<li>
      <a href=${href({ view: "image", image: image.id })}><img loading="lazy" alt=${fileName(path)} src=${thumbnail(image, 320)}></a>
      <p><bdi title=${path}>${fileName(path)}</bdi></p>
      <p><small>${number(image.width)} × ${number(image.height)}${images.length > 1 && image.width * image.height === largest ? html` <b>${t("largest")}</b>` : nothing}
        · ${image.format.toUpperCase()} · ${bytes(image.size_bytes)}</small></p>
      <p><small>${image.taken_at ? time(image.taken_at) : ""}${images.length > 1 && image.taken_at === oldest ? html` <b>${t("oldest")}</b>` : nothing}</small></p>
      <button type="button" @click=${() => copy(path)}>${t("copyPath")}</button></li>`)}</ul></article>`;
}

async function copy(path) {
  try {
    await navigator.clipboard.writeText(path);
    toast(t("copied", fileName(path)));
  } catch (error) {
    fail(error);
  }
}

export const leave = () => { asked = ""; found = null; };

// Where the page starts: which view an address shows, and what is around all of them.
import * as address from "./address.js";
import * as box from "./box.js";
import { byId, html, nothing, render } from "./dom.js";
import * as keys from "./keys.js";
import * as library from "./library.js";
import * as live from "./live.js";
import * as pictures from "./pictures.js";
import { language, t } from "./text.js";
import { fail } from "./toast.js";
import * as viewer from "./viewer.js";

// What most readers look at is there at once; the other views come when they are first wanted.
const VIEWS = {
  labels: () => import("./labels.js"),
  review: () => import("./review.js"),
  duplicates: () => import("./duplicates.js"),
  map: () => import("./map.js"),
};
const loaded = { library };
const coming = { library: Promise.resolve(library) };

function viewOf(name) {
  coming[name] ??= VIEWS[name]().then((view) => {
    view.start?.();
    loaded[name] = view;
    return view;
  }, (error) => {
    // Whoever wants it again asks again.
    delete coming[name];
    throw error;
  });
  return coming[name];
}

function show(state, before, how) {
  const view = state.view in VIEWS || state.view in loaded;
  const isOther = before && before.view !== state.view;
  if (isOther) loaded[before.view]?.leave?.();
  byId("pictures").hidden = Boolean(view);
  byId("view").hidden = !view;
  if (view) {
    if (isOther) { render(nothing, byId("view")); scrollTo(0, 0); }
    document.title = `${t("views")[state.view]} – pixdex`;
    box.show("");
    viewOf(state.view).then((shown) => { if (address.now() === state) shown.show(state, byId("view")); }).catch(fail);
  } else pictures.show(state, before, how);
  if (state.view === "image") viewer.show(state);
  else viewer.hide();
  bar();
}

function bar() {
  const { view } = address.now();
  const link = (name) => html`<a href=${address.href({ view: name })} aria-current=${view === name ? "page" : nothing}>${t("views")[name]}</a>`;
  render(html`${["labels", "duplicates", "map"].map(link)} ${library.dot(view)}
    <button type="button" class="icon" aria-label=${t("keys")} @click=${keys.help}>?</button>`, byId("views"));
}

function notice() {
  render(live.isAway() ? html`<p class="away">${t("away")}</p>` : nothing, byId("notice"));
}

// A picture that is pasted, or dropped anywhere, is one to search with.
function takePictures() {
  addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (file) { event.preventDefault(); box.bring(file); }
  });
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
  addEventListener("dragend", () => document.body.classList.remove("dragging"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    const id = event.dataTransfer.getData("application/x-pixdex-image");
    const isUnlike = event.target.closest?.(".unlike");
    if (id && event.target.closest?.("#bar")) box.addLike(id, isUnlike ? -0.5 : 1);
    else if (!id && event.dataTransfer.files[0]) box.bring(event.dataTransfer.files[0]);
  });
}

document.documentElement.lang = language;
document.querySelector(".skip").textContent = t("skip");
document.querySelector("#middle h1").textContent = t("views").pictures;
byId("grid").ariaLabel = t("views").pictures;
byId("rail").ariaLabel = t("filters");
byId("views").ariaLabel = t("viewsTitle");
byId("search").addEventListener("submit", (event) => event.preventDefault());
box.draw();
pictures.start();
viewer.start();
library.start(bar);
takePictures();
live.on("here away", notice);
address.onChange(show);
keys.start({ pictures: pictures.key, image: viewer.key, review: (event) => loaded.review?.key(event) });
show(address.now(), null, "load");
live.start();

// Where the page starts: which view an address shows, and what is around all of them.
import * as address from "./address.js";
import * as box from "./box.js";
import { byId, html, nothing, render } from "./dom.js";
import * as duplicates from "./duplicates.js";
import * as keys from "./keys.js";
import * as labels from "./labels.js";
import * as library from "./library.js";
import * as live from "./live.js";
import * as map from "./map.js";
import * as pictures from "./pictures.js";
import * as review from "./review.js";
import { language, t } from "./text.js";
import * as viewer from "./viewer.js";

const VIEWS = { labels, review, duplicates, map, library };

function show(state, before, how) {
  const view = VIEWS[state.view];
  const isOther = before && before.view !== state.view;
  if (isOther) VIEWS[before.view]?.leave?.();
  byId("pictures").hidden = Boolean(view);
  byId("view").hidden = !view;
  if (view) {
    if (isOther) { render(nothing, byId("view")); scrollTo(0, 0); }
    document.title = `${t("views")[state.view]} – pixdex`;
    box.show("");
    view.show(state, byId("view"));
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
review.start();
labels.start();
takePictures();
live.on("here away", notice);
address.onChange(show);
keys.start({ pictures: pictures.key, image: viewer.key, review: review.key });
show(address.now(), null, "load");
live.start();

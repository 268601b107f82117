// A picture that can be looked at closely: wheel, pinch, double click and drag; a swipe goes to the next one.
const MOST = 12;
const SWIPE = 60;

export class Zoom {
  constructor(image, { onNear, onSwipe }) {
    Object.assign(this, { image, onNear, onSwipe, scale: 1, x: 0, y: 0, pointers: new Map() });
    this.controller = new AbortController();
    const { signal } = this.controller;
    const on = (name, run, options = {}) => image.addEventListener(name, run, { signal, ...options });
    on("wheel", (event) => { event.preventDefault(); this.by(Math.exp(-event.deltaY / 400), event); }, { passive: false });
    on("dblclick", (event) => { if (this.scale > 1) this.reset(); else this.by(3, event); });
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    ["pointerup", "pointercancel"].forEach((name) => on(name, (event) => this.up(event)));
    on("dragstart", (event) => event.preventDefault());
    this.apply();
  }

  stop() {
    this.controller.abort();
  }

  // So many times as large, about a point that stays where it is.
  by(factor, at = null) {
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const box = this.image.getBoundingClientRect();
    const [dx, dy] = at ? [at.clientX - box.left - box.width / 2, at.clientY - box.top - box.height / 2] : [0, 0];
    const change = scale / this.scale;
    this.x -= dx * (change - 1);
    this.y -= dy * (change - 1);
    this.scale = scale;
    if (scale === 1) this.x = this.y = 0;
    this.apply();
    if (scale > 1.3) this.onNear(this.image);
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.apply();
  }

  apply() {
    this.image.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.image.classList.toggle("near", this.scale > 1);
  }

  down(event) {
    this.image.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.first = event;
    this.wasPinched = this.pointers.size > 1;
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) {
      const [a, b] = [...this.pointers.values()];
      const other = a === event ? b : a;
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      this.wasPinched = true;
      this.by(apart(event) / Math.max(1, apart(before)), { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 });
    } else if (this.scale > 1) {
      this.x += event.clientX - before.clientX;
      this.y += event.clientY - before.clientY;
      this.apply();
    }
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId) || this.wasPinched || this.scale > 1 || event.pointerType !== "touch") return;
    const [dx, dy] = [event.clientX - this.first.clientX, event.clientY - this.first.clientY];
    if (Math.abs(dx) > SWIPE && Math.abs(dx) > 2 * Math.abs(dy)) this.onSwipe(dx < 0 ? 1 : -1);
  }
}

"use strict";
// Photographs with the outlines of their cells. The data are one JSON object (see reporting/smears/
// content.py); what is known of a classified cell is in the gallery's data, which is shown here too.

// In photographs with more cells the numbers would cover one another: only that of one cell is shown.
const MOST_NAMED = 60;

class Viewer {
  constructor(root) {
    this.root = root;
    this.name = root.dataset.viewer;
    this.data = JSON.parse(document.getElementById(`viewer-${this.name}`).textContent);
    this.gallery = document.querySelector(`[data-gallery="${this.name}"]`)?.gallery ?? null;
    this.filters = new Filters(root.querySelector("form"));
    this.svg = root.querySelector("svg");
    this.about = root.querySelector(".viewer-about");
    this.addresses = new Map();
    this.fill();
    this.listen();
    this.order();
  }

  field(name) { return this.filters.field(name); }

  fill() {
    const {photographs, positive, colours, outside} = this.data;
    const subjects = new Set(photographs.map((one) => one.subject).filter(Boolean));
    this.filters.choose("subject", [...subjects].map((name) => [name, name]));
    for (const [value, text] of [["name", "name"], ["share", `share of ${positive}`], ["leukocytes", "number of leukocytes"], ["outside", `cells ${outside}`], ["aside", "number set aside"]]) {
      this.filters.option("order", value, text);
    }
    const scale = this.root.querySelector(".viewer-scale");
    scale.querySelector(".words").textContent = `Probability of ${positive}`;
    scale.setAttribute("aria-label", `Colours of the probability of ${positive}, from 0 (${colours[0]}, dark blue) to 1 (${colours.at(-1)}, yellow)`);
    scale.querySelector("i").style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    this.root.querySelector(".line.outside").textContent = outside;
  }

  listen() {
    const {form} = this.filters;
    form.addEventListener("input", (event) => {
      const {name} = event.target;
      if (name === "photograph") this.show();
      else if (["outlines", "aside"].includes(name)) this.toggle();
      else this.order();
    });
    form.addEventListener("click", (event) => {
      const step = event.target.closest("[data-step]");
      if (step) this.step(Number(step.dataset.step));
    });
    for (const kind of ["pointerover", "focusin"]) {
      this.svg.addEventListener(kind, (event) => {
        const node = event.target.closest(".cell");
        if (node) this.describe(Number(node.dataset.cell));
      });
    }
    this.svg.addEventListener("click", (event) => this.open(event.target.closest(".cell")));
    this.svg.addEventListener("keydown", (event) => this.press(event));
    this.gallery?.root.addEventListener("marked", () => { if (this.described !== undefined) this.describe(this.described); });
  }

  toggle() {
    this.root.classList.toggle("plain", !this.field("outlines").checked);
    this.root.classList.toggle("whole", !this.field("aside").checked);
  }

  // The photographs of the chosen subject in the chosen order.
  order() {
    const {photographs} = this.data;
    const subject = this.field("subject").value;
    const key = {
      name: () => 0,
      share: (one) => -(one.classified ? one.positive / one.classified : -1),
      leukocytes: (one) => -one.leukocytes,
      outside: (one) => -one.outside,
      aside: (one) => -one.aside,
    }[this.field("order").value];
    const chosen = photographs.map((one, number) => [one, number]).filter(([one]) => !subject || one.subject === subject);
    chosen.sort(([one], [other]) => key(one) - key(other) || one.name.localeCompare(other.name, "en", {numeric: true}));
    const select = this.field("photograph");
    select.replaceChildren();
    for (const [one, number] of chosen) {
      const share = one.classified ? `, ${this.data.positive} ${one.positive} of ${one.classified}` : "";
      this.filters.option("photograph", number, `${one.name} (${one.leukocytes}${share})`);
    }
    this.show();
  }

  step(by) {
    const select = this.field("photograph");
    const next = select.selectedIndex + by;
    if (next < 0 || next >= select.options.length) return;
    select.selectedIndex = next;
    this.show();
  }

  address(number) {
    if (this.data.files.length) return this.data.files[number];
    if (!this.addresses.has(number)) {
      const text = atob(document.getElementById(`photograph-${this.name}-${number}`).textContent.trim());
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      this.addresses.set(number, URL.createObjectURL(new Blob([bytes], {type: "image/jpeg"})));
    }
    return this.addresses.get(number);
  }

  show() {
    const number = Number(this.field("photograph").value);
    const one = this.data.photographs[number];
    const [width, height] = one.size;
    const image = this.root.querySelector(".frame img");
    [image.width, image.height] = one.size;
    image.src = this.address(number);
    image.alt = `Photograph ${one.name}`;
    this.root.querySelector(".viewer-name").textContent = one.name;
    this.root.querySelector(".viewer-counts").textContent = this.counts(one);
    this.root.querySelector(".viewer-overlay").href = one.overlay.split("/").map(encodeURIComponent).join("/");
    const bar = this.root.querySelector(".scale-bar");
    bar.hidden = !one.bar;
    if (one.bar) {
      bar.style.minWidth = bar.querySelector("i").style.width = "";
      bar.querySelector("i").style.width = `calc(${one.bar[0] / width} * var(--across))`;
      bar.querySelector("b").textContent = one.bar[1];
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...Array.from({length: one.cells}, (_, place) => this.cell(one.first + place, height)));
    this.svg.classList.toggle("crowded", one.cells > MOST_NAMED);
    this.svg.firstElementChild?.setAttribute("tabindex", "0");
    this.measure();
    this.root.dataset.shown = one.name;
    const first = this.data.gallery.slice(one.first, one.first + one.cells).findIndex((place) => place >= 0);
    this.describe(one.cells ? one.first + Math.max(first, 0) : undefined);
  }

  // The width of the photograph on the screen, for the scale bar.
  measure() { this.root.querySelector(".frame").style.setProperty("--across", `${this.root.querySelector(".frame").clientWidth}px`); }

  counts(one) {
    const {positive, outside} = this.data;
    const whole = `${one.leukocytes} whole leukocyte${one.leukocytes === 1 ? "" : "s"}`;
    const texts = [one.subject ? `Subject ${one.subject}.` : "", `${whole}, ${one.aside} set aside.`];
    if (one.classified) texts.push(`${positive}: ${one.positive} of ${one.classified}.`);
    if (one.outside) texts.push(`${one.outside} ${outside}.`);
    return texts.filter(Boolean).join(" ");
  }

  probability(place) { return this.gallery.data.series[0].probability[place]; }

  color(value) {
    const {colours} = this.data;
    const place = Math.min(Math.max(value, 0), 1) * (colours.length - 1);
    const low = Math.min(Math.floor(place), colours.length - 2);
    return `color-mix(in srgb, ${colours[low]}, ${colours[low + 1]} ${100 * (place - low)}%)`;
  }

  cell(number, height) {
    const place = this.data.gallery[number];
    const node = document.createElementNS(this.svg.namespaceURI, "g");
    const points = this.data.outlines[number];
    const outside = place >= 0 && this.gallery.value("flag", place).includes(this.data.outside);
    node.setAttribute("class", `cell${place < 0 ? " aside" : ""}${outside ? " outside" : ""}`);
    node.setAttribute("tabindex", "-1");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", this.words(number));
    node.dataset.cell = number;
    for (const kind of ["under", "line"]) {
      const polygon = document.createElementNS(this.svg.namespaceURI, "polygon");
      polygon.setAttribute("points", points);
      polygon.setAttribute("class", kind);
      node.append(polygon);
    }
    if (place >= 0) {
      const value = this.probability(place);
      node.children[0].style.stroke = value < 0.5 ? "#fff" : "#262626";
      node.children[1].style.stroke = this.color(value);
    }
    node.append(this.label(number, points, height));
    return node;
  }

  label(number, points, height) {
    const corners = points.split(" ").map((pair) => pair.split(",").map(Number));
    const [across, down] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
    const text = document.createElementNS(this.svg.namespaceURI, "text");
    const below = Math.max(...down) + 16;
    text.setAttribute("x", Math.max((Math.min(...across) + Math.max(...across)) / 2, 16));
    text.setAttribute("y", below < height - 2 ? below : Math.min(...down) - 6);
    const place = this.data.gallery[number];
    text.textContent = place < 0 ? this.reason(number) : this.probability(place).toFixed(2);
    return text;
  }

  reason(number) { return this.data.words[this.data.reasons[number]] ?? "not classified"; }

  words(number) {
    const place = this.data.gallery[number];
    if (place < 0) return `Set aside: ${this.reason(number)}`;
    const {names} = this.gallery.data;
    return `${names[place]}, ${this.gallery.value("class", place)}, probability of ${this.data.positive} ${this.probability(place).toFixed(2)}`;
  }

  describe(number) {
    this.described = number;
    if (number === undefined) {
      const text = document.createElement("p");
      text.className = "hint";
      text.textContent = "No cell was found in this photograph.";
      this.about.replaceChildren(text);
      return;
    }
    const place = this.data.gallery[number];
    const heading = document.createElement("h3");
    if (place < 0) {
      heading.textContent = "Set aside";
      const text = document.createElement("p");
      text.textContent = `Not classified: ${this.reason(number)}.`;
      this.about.replaceChildren(heading, text);
      return;
    }
    heading.textContent = this.gallery.data.names[place];
    const picture = this.gallery.picture(place, 128);
    const list = document.createElement("dl");
    for (const [term, value] of this.gallery.terms(place, true)) {
      const [name, text] = [document.createElement("dt"), document.createElement("dd")];
      [name.textContent, text.textContent] = [term, value];
      list.append(name, text);
    }
    const label = this.gallery.marks?.of.get(place);
    const your = document.createElement("p");
    your.className = "your";
    your.textContent = label ? `Your label: ${this.gallery.marks.title(label)}` : "";
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = `Tab and arrow keys move from cell to cell, Enter opens one. ${this.gallery.marks?.keys() ?? ""}`;
    this.about.replaceChildren(heading, picture, list, your, hint);
  }

  open(node) {
    const place = node ? this.data.gallery[Number(node.dataset.cell)] : -1;
    if (place >= 0) this.gallery.openCell(place);
  }

  press(event) {
    const node = event.target.closest(".cell");
    if (!node) return;
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (step) {
      event.preventDefault();
      const next = step > 0 ? node.nextElementSibling : node.previousElementSibling;
      if (!next) return;
      node.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(node);
    } else {
      const place = this.data.gallery[Number(node.dataset.cell)];
      if (place >= 0) this.gallery.marks?.press(event, place);
    }
  }
}

document.querySelectorAll("[data-viewer]").forEach((root) => {
  root.viewer = new Viewer(root);
  new ResizeObserver(() => root.viewer.measure()).observe(root.querySelector(".frame"));
});

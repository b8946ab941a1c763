"use strict";
// A gallery of cells. The data are one JSON object (see reporting/page/gallery.py); the pictures are
// tiles of sheets that are decoded when one of their cells comes into view. Only the cells in view
// are in the document, so that ten thousand are as quick as ten.

const CAPTION_HEIGHT = 34;
const ROWS_BEYOND_VIEW = 2;

class Gallery {
  constructor(root) {
    this.root = root;
    this.name = root.dataset.gallery;
    this.data = JSON.parse(document.getElementById(`gallery-${this.name}`).textContent);
    this.filters = new Filters(root.querySelector("form"));
    this.view = root.querySelector(".gallery-view");
    this.canvas = root.querySelector(".gallery-canvas");
    this.count = root.querySelector(".gallery-count");
    this.dialog = root.querySelector("dialog");
    this.sheets = new Map();
    this.drawn = new Map();
    this.active = 0;
    this.marks = this.data.marks ? new Marks(this) : null;
    this.lookUp();
    this.fillFilters();
    this.listen();
    this.chooseDataset();
  }

  // Where each cell is in each series: series -> (cell -> place in the series).
  lookUp() {
    this.places = this.data.series.map((series) => new Map(series.cells.map((cell, place) => [cell, place])));
    this.wrong = new Array(this.data.cells).fill(0);
    this.tested = new Array(this.data.cells).fill(0);
    this.data.series.forEach((series, number) => series.cells.forEach((cell, place) => {
      if (this.data.labels[cell] < 0) return;
      this.tested[cell] += 1;
      this.wrong[cell] += this.isWrong(number, place) ? 1 : 0;
    }));
    this.labelled = this.data.labels.some((label) => label >= 0);
  }

  isWrong(number, place) {
    const series = this.data.series[number];
    // Of more than two classes the most probable one is predicted.
    if (series.classes) return this.value("class", series.cells[place]) !== this.called(series, place);
    const label = this.data.labels[series.cells[place]];
    return label >= 0 && (series.probability[place] >= this.data.threshold) !== (label === 1);
  }

  called(series, place) { return series.classes ? series.classes[series.predicted[place]] : ""; }

  field(name) { return this.filters.field(name); }

  fillFilters() {
    const {filters} = this;
    const datasets = this.data.columns[0];
    datasets.values.forEach((title, code) => filters.option("dataset", code, title));
    filters.show("dataset", datasets.values.length > 1);
    filters.show("verdict", this.labelled);
    filters.show("run", this.data.series.length > 1);
    this.root.querySelector("[data-heading]").textContent = this.data.heading;
    for (const column of this.filtered()) filters.add(this.root.querySelector(".filter-fields"), `column-${column.key}`, column.title);
    const orders = [["doubt", "most clearly wrong"], ["rising", "probability, rising"],
      ["falling", "probability, falling"], ["models", "wrong in most models"], ["uncertain", "least certain"], ["name", "name"]];
    for (const [value, text] of orders) {
      if (this.labelled || !["doubt", "models"].includes(value)) filters.option("order", value, text);
    }
    if (this.data.series.some((series) => series.maps)) filters.option("order", "map", "with attribution map first");
    this.data.measures.forEach((measure, number) => filters.option("order", `measure-${number}`, `${measure.title}, falling`));
    const first = [...this.field("order").options].find((option) => option.value === this.data.order);
    if (first) first.selected = first.defaultSelected = true;
  }

  // The columns that have a filter; the first one is the data set.
  filtered() { return this.data.columns.slice(1).filter((column) => column.filter); }

  // Only the series and the names that the chosen data set has are offered.
  chooseDataset() {
    const dataset = Number(this.field("dataset").value);
    this.field("run").replaceChildren();
    this.data.series.forEach((series, number) => {
      if (series.dataset === dataset) this.filters.option("run", number, series.title);
    });
    const named = this.data.series.find((series) => series.dataset === dataset && series.classes);
    this.filters.choose("predicted", named ? named.classes.map((name) => [name, name]) : []);
    const codes = this.data.columns[0].codes;
    for (const column of this.filtered()) {
      const used = new Set();
      column.codes.forEach((code, cell) => { if (codes[cell] === dataset && code >= 0) used.add(code); });
      this.filters.choose(`column-${column.key}`, [...used].map((code) => [code, column.values[code]]));
    }
    this.select();
  }

  listen() {
    const {form} = this.filters;
    form.addEventListener("input", (event) => (event.target.name === "dataset" ? this.chooseDataset() : this.select()));
    form.addEventListener("reset", () => setTimeout(() => this.chooseDataset()));
    this.view.addEventListener("scroll", () => this.plan());
    this.canvas.addEventListener("click", (event) => {
      const cell = event.target.closest(".gallery-cell");
      if (cell) this.open(Number(cell.dataset.place));
    });
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    if (this.marks) this.marks.listen();
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog || event.target.closest("[data-close]")) this.dialog.close();
      const step = event.target.closest("[data-step]");
      if (step) this.open(this.active + Number(step.dataset.step));
    });
    this.dialog.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (step) { event.preventDefault(); this.open(this.active + step); }
    });
    this.dialog.addEventListener("close", () => this.focus(this.active));
    new ResizeObserver(() => this.plan()).observe(this.view);
  }

  // The places in the chosen series that pass all filters, in the chosen order.
  select() {
    const number = Number(this.field("run").value);
    const series = this.data.series[number];
    const verdict = this.field("verdict").value;
    const limits = ["lowest", "highest"].map((name) => this.field(name).valueAsNumber);
    const [lowest, highest] = [Number.isNaN(limits[0]) ? 0 : limits[0], Number.isNaN(limits[1]) ? 1 : limits[1]];
    const predicted = this.field("predicted").value;
    const marked = this.field("marked").value;
    const chosen = this.filtered().filter((column) => this.filters.value(`column-${column.key}`) !== "")
      .map((column) => [column.codes, Number(this.field(`column-${column.key}`).value)]);
    this.run = number;
    this.shown = [];
    (series ? series.cells : []).forEach((cell, place) => {
      const probability = series.probability[place];
      if (probability < lowest || probability > highest) return;
      if (verdict && (verdict === "wrong") !== this.isWrong(number, place)) return;
      if (predicted && predicted !== this.called(series, place)) return;
      if (marked && (marked === "yes") !== this.marks.of.has(cell)) return;
      if (chosen.every(([codes, code]) => codes[cell] === code)) this.shown.push(place);
    });
    if (series) this.sort(series);
    const wrong = this.labelled ? `, ${this.shown.filter((place) => this.isWrong(number, place)).length} predicted wrongly` : "";
    const total = series ? series.cells.length : 0;
    this.count.textContent = `${this.shown.length} of ${total} cells${wrong}${series && series.note ? `. ${series.note}` : ""}`;
    this.active = 0;
    this.view.scrollTop = 0;
    this.clear();
    this.draw();
  }

  sort(series) {
    const order = this.field("order").value;
    const {cells, probability} = series;
    const error = (place) => series.truth ? 1 - series.truth[place] : Math.abs(probability[place] - (this.data.labels[cells[place]] === 1 ? 1 : 0));
    const measure = order.startsWith("measure-") ? this.data.measures[Number(order.slice(8))].values : null;
    const keys = {
      doubt: (place) => -error(place),
      rising: (place) => probability[place],
      falling: (place) => -probability[place],
      uncertain: (place) => series.classes ? probability[place] : Math.abs(probability[place] - this.data.threshold),
      models: (place) => -this.wrong[cells[place]] - error(place) / 2,
      name: (place) => cells[place],
      map: (place) => (series.maps && series.maps[place] >= 0 ? 0 : 1),
    };
    // What is not known comes last.
    const key = measure ? (place) => -(measure[cells[place]] ?? -1e300) : keys[order];
    const value = new Map(this.shown.map((place) => [place, key(place)]));
    this.shown.sort((one, other) => value.get(one) - value.get(other) || one - other);
  }

  get side() { return this.view.clientWidth < 480 ? 72 : 96; }

  layout() {
    const width = this.side + 12;
    const columns = Math.max(1, Math.floor(this.view.clientWidth / width));
    // The names of two classes need more lines.
    const caption = this.data.series.some((series) => series.classes) ? 2 * CAPTION_HEIGHT : CAPTION_HEIGHT;
    return {width: this.view.clientWidth / columns, columns, height: this.side + 12 + caption};
  }

  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => { this.planned = false; this.draw(); });
  }

  clear() {
    this.canvas.replaceChildren();
    this.drawn.clear();
  }

  draw() {
    const {width, columns, height} = this.layout();
    if (columns !== this.columns || width !== this.width) this.clear();
    [this.columns, this.width] = [columns, width];
    const rows = Math.ceil(this.shown.length / columns);
    this.canvas.style.height = `${rows * height}px`;
    const first = Math.max(0, Math.floor(this.view.scrollTop / height) - ROWS_BEYOND_VIEW);
    const last = Math.ceil((this.view.scrollTop + this.view.clientHeight) / height) + ROWS_BEYOND_VIEW;
    const [from, until] = [first * columns, Math.min(this.shown.length, last * columns)];
    for (const [place, node] of this.drawn) {
      if ((place < from || place >= until) && node !== document.activeElement) { node.remove(); this.drawn.delete(place); }
    }
    for (let place = from; place < until; place += 1) {
      if (this.drawn.has(place)) continue;
      const node = this.cell(place);
      node.style.left = `${(place % columns) * width}px`;
      node.style.top = `${Math.floor(place / columns) * height}px`;
      node.style.width = `${width}px`;
      node.style.height = `${height}px`;
      this.canvas.insertBefore(node, this.next(place));
      this.drawn.set(place, node);
    }
    this.root.dataset.drawn = this.drawn.size;
    this.root.dataset.sheets = this.sheets.size;
  }

  // The drawn cell that follows a place, so that the order of the document is that of the cells.
  next(place) {
    const later = [...this.drawn.keys()].filter((other) => other > place);
    return later.length ? this.drawn.get(Math.min(...later)) : null;
  }

  words(place) {
    const series = this.data.series[this.run];
    const cell = series.cells[place];
    const called = this.called(series, place);
    const positive = called || this.data.positive[series.dataset];
    const wrong = this.isWrong(this.run, place);
    const label = this.data.labels[cell];
    const verdict = label < 0 ? "" : wrong ? "wrong" : "right";
    return {cell, probability: series.probability[place], positive, called, wrong, verdict};
  }

  cell(shownPlace) {
    const {cell, probability, positive, called, wrong, verdict} = this.words(this.shown[shownPlace]);
    const node = document.createElement("button");
    node.type = "button";
    node.className = wrong ? "gallery-cell wrong" : "gallery-cell";
    node.dataset.place = shownPlace;
    node.setAttribute("role", "option");
    node.setAttribute("aria-selected", "false");
    node.setAttribute("aria-posinset", shownPlace + 1);
    node.setAttribute("aria-setsize", this.shown.length);
    node.tabIndex = shownPlace === this.active ? 0 : -1;
    const kind = this.value("class", cell);
    const name = this.data.names[cell];
    node.setAttribute("aria-label", [name, kind, `probability of ${positive} ${probability.toFixed(2)}`, verdict].filter(Boolean).join(", "));
    node.title = name;
    node.append(this.picture(cell, this.side));
    const caption = document.createElement("span");
    const as = called && wrong ? ` as ${called}` : "";
    caption.textContent = `${kind ? `${kind}${as} ` : ""}${probability.toFixed(2)}${verdict ? (wrong ? " ✗" : " ✓") : ""}`;
    node.append(caption);
    if (this.marks) this.marks.show(node, cell);
    return node;
  }

  value(key, cell) {
    const column = this.data.columns.find((column) => column.key === key);
    return column && column.codes[cell] >= 0 ? column.values[column.codes[cell]] : "";
  }

  // A sheet is decoded when one of its cells is first shown.
  sheet(number) {
    const {files} = this.data.sheet;
    if (files.length) {
      this.sheets.set(number, files[number]);
    } else if (!this.sheets.has(number)) {
      const text = atob(document.getElementById(`sheet-${this.name}-${number}`).textContent.trim());
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      this.sheets.set(number, URL.createObjectURL(new Blob([bytes], {type: "image/jpeg"})));
    }
    return this.sheets.get(number);
  }

  picture(tile, side) {
    const {columns, rows} = this.data.sheet;
    const place = tile % (columns * rows);
    const node = document.createElement("span");
    node.className = "picture";
    node.style.width = node.style.height = `${side}px`;
    node.style.backgroundImage = `url(${this.sheet(Math.floor(tile / (columns * rows)))})`;
    node.style.backgroundSize = `${columns * side}px auto`;
    node.style.backgroundPosition = `-${(place % columns) * side}px -${Math.floor(place / columns) * side}px`;
    return node;
  }

  move(event) {
    const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
      Home: -this.shown.length, End: this.shown.length, PageUp: -4 * this.columns, PageDown: 4 * this.columns};
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.focus(this.active + steps[event.key]);
  }

  activate(place) {
    const before = this.drawn.get(this.active);
    if (before) before.tabIndex = -1;
    this.active = Math.min(Math.max(place, 0), this.shown.length - 1);
  }

  focus(place) {
    if (!this.shown.length) return;
    this.activate(place);
    const {columns, height} = this.layout();
    const top = Math.floor(this.active / columns) * height;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    if (top + height > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = top + height - this.view.clientHeight;
    this.draw();
    const node = this.drawn.get(this.active);
    node.tabIndex = 0;
    node.focus({preventScroll: true});
  }

  open(place) {
    if (place < 0 || place >= this.shown.length) return;
    this.activate(place);
    const {cell, positive, called} = this.words(this.shown[this.active]);
    const body = this.root.querySelector(".detail-body");
    body.replaceChildren(this.pictures(cell), this.facts(cell, called ? "the predicted class" : positive));
    if (this.marks) this.marks.choices(cell);
    if (!this.dialog.open) this.dialog.showModal();
  }

  // Opens a cell by its number, whatever the filters leave out.
  openCell(cell) {
    const find = () => this.shown.findIndex((place) => this.data.series[this.run].cells[place] === cell);
    if (find() < 0) {
      for (const name of ["verdict", "predicted", "marked", "lowest", "highest"]) this.field(name).value = {lowest: 0, highest: 1}[name] ?? "";
      this.chooseDataset();
    }
    this.open(find());
  }

  // The number of the cell at a place of the grid.
  cellAt(shownPlace) { return this.data.series[this.run].cells[this.shown[shownPlace]]; }

  pictures(cell) {
    const box = document.createElement("div");
    box.style.flex = "0 0 auto";
    const side = Math.min(256, window.innerWidth - 80);
    box.append(this.figure(cell, side, this.data.names[cell]));
    const series = this.data.series[this.run];
    const tile = series.maps ? series.maps[this.places[this.run].get(cell)] : -1;
    if (tile >= 0) box.append(this.figure(tile, side, `Attribution map: ${series.title}`, this.data.map_note));
    return box;
  }

  figure(tile, side, text, note = "") {
    const figure = document.createElement("figure");
    const picture = this.picture(tile, side);
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", text);
    const caption = document.createElement("figcaption");
    caption.textContent = note ? `${text}. ${note}` : text;
    caption.style.maxWidth = `${side}px`;
    figure.append(picture, caption);
    return figure;
  }

  // What is known of a cell, as pairs of a heading and a text; on demand with the first prediction.
  terms(cell, predicted = false) {
    const {columns, measures, series} = this.data;
    // A data set that is the only one goes without saying.
    const told = columns.filter((column, number) => number > 0 || column.values.length > 1);
    const found = told.map((column) => [column.title, column.codes[cell] >= 0 ? column.values[column.codes[cell]] : "unknown"]);
    if (predicted && this.places[0].has(cell)) {
      found.push([`Probability of ${this.data.positive[series[0].dataset]}`, series[0].probability[this.places[0].get(cell)].toFixed(3)]);
    }
    for (const measure of measures) {
      const value = measure.values[cell];
      found.push([measure.title, value === null ? "unknown" : String(Number(value.toFixed(measure.decimals)))]);
    }
    if (this.tested[cell]) found.push(["Wrong in", `${this.wrong[cell]} of ${this.tested[cell]} runs`]);
    return found;
  }

  facts(cell, positive) {
    const box = document.createElement("div");
    const list = document.createElement("dl");
    for (const [term, text] of this.terms(cell)) {
      const [name, value] = [document.createElement("dt"), document.createElement("dd")];
      name.textContent = term;
      value.textContent = text;
      list.append(name, value);
    }
    box.append(list, this.predictions(cell, positive));
    return box;
  }

  predictions(cell, positive) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const text of [this.data.heading, `Probability of ${positive}`, "", ""]) {
      const heading = document.createElement("th");
      heading.textContent = text;
      head.append(heading);
    }
    const body = table.createTBody();
    this.data.series.forEach((series, number) => {
      const place = this.places[number].get(cell);
      if (place === undefined) return;
      const row = body.insertRow();
      const probability = series.probability[place];
      const called = this.called(series, place);
      row.insertCell().textContent = series.title;
      row.insertCell().textContent = `${called ? `${called} ` : ""}${probability.toFixed(3)}`;
      const bar = row.insertCell();
      bar.className = "bar";
      const meter = document.createElement("span");
      meter.className = "meter";
      const [mark, half] = [document.createElement("i"), document.createElement("b")];
      mark.style.left = `${100 * probability}%`;
      half.style.left = `${100 * this.data.threshold}%`;
      meter.append(...(called ? [mark] : [half, mark]));
      bar.append(meter);
      row.insertCell().textContent = this.data.labels[cell] < 0 ? "" : this.isWrong(number, place) ? "✗ wrong" : "✓ right";
    });
    return table;
  }
}

const KEYS = "123456789abcdefghijklmnopqrstuvwxyz";

// The labels that a reader gives to cells. They stay in the browser until they are downloaded as a
// sheet of positions, which a data set of the format photographs accepts.
class Marks {
  constructor(gallery) {
    this.gallery = gallery;
    this.rules = gallery.data.marks;
    this.names = [...this.rules.labels, this.rules.nothing];
    this.of = new Map();
    this.saved = true;
    this.bar = gallery.root.querySelector(".gallery-marks");
    this.box = gallery.root.querySelector(".detail-marks");
  }

  listen() {
    const {root, canvas, dialog} = this.gallery;
    this.bar.hidden = this.box.hidden = false;
    this.gallery.field("marked").closest("label").hidden = false;
    root.querySelector(".marks-hint").textContent = ` ${this.keys()}, Delete removes your label.`;
    this.bar.querySelector("[data-download]").addEventListener("click", () => this.download());
    this.bar.querySelector("input").addEventListener("change", (event) => this.load(event.target.files[0]));
    for (const node of [canvas, dialog]) node.addEventListener("keydown", (event) => this.press(event, this.gallery.cellAt(this.gallery.active)));
    this.box.addEventListener("click", (event) => {
      const button = event.target.closest("[data-label]");
      if (button) this.set(this.gallery.cellAt(this.gallery.active), button.dataset.label);
    });
    addEventListener("beforeunload", (event) => { if (!this.saved) event.preventDefault(); });
    this.count();
  }

  title(label) { return label === this.rules.nothing ? "not a leukocyte" : label; }

  keys() { return this.names.map((name, number) => [this.key(number), this.title(name)]).filter(([key]) => key).map((pair) => pair.join(": ")).join(", "); }

  // The tenth class has the letter a, and so on; beyond z a class has its button alone.
  key(number) { return number < this.rules.labels.length ? KEYS[number] ?? "" : "0"; }

  press(event, cell) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
    const number = this.names.findIndex((name, place) => this.key(place) === event.key);
    if (number < 0 && !["Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    this.set(cell, number < 0 ? "" : this.names[number]);
  }

  // An empty label takes the mark back.
  set(cell, label) {
    if (label) this.of.set(cell, label); else this.of.delete(cell);
    this.saved = this.of.size === 0;
    this.refresh(cell);
  }

  refresh(cell) {
    const {gallery} = this;
    gallery.drawn.forEach((node, place) => { if (gallery.cellAt(place) === cell) this.show(node, cell); });
    if (gallery.dialog.open) this.choices(gallery.cellAt(gallery.active));
    this.count();
    gallery.root.dispatchEvent(new CustomEvent("marked", {detail: cell}));
  }

  // The mark of a cell in the grid; the text for those who do not see it is part of its name.
  show(node, cell) {
    const label = this.of.get(cell);
    node.classList.toggle("marked", Boolean(label));
    node.querySelector(".mark")?.remove();
    node.setAttribute("aria-label", node.getAttribute("aria-label").replace(/, your label: .*$/, ""));
    if (!label) return;
    const mark = document.createElement("span");
    mark.className = label === this.rules.nothing ? "mark nothing" : "mark";
    mark.textContent = label === this.rules.nothing ? "✗" : label;
    node.append(mark);
    node.setAttribute("aria-label", `${node.getAttribute("aria-label")}, your label: ${this.title(label)}`);
  }

  choices(cell) {
    const label = this.of.get(cell) ?? "";
    const words = document.createElement("span");
    words.textContent = "Your label:";
    const buttons = [...this.names, ""].map((name, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.label = name;
      const key = this.key(number) && ` (${this.key(number)})`;
      button.textContent = name ? `${this.title(name)}${key}` : "none";
      button.setAttribute("aria-pressed", String(name === label));
      return button;
    });
    const focused = this.box.contains(document.activeElement) ? document.activeElement.dataset.label : null;
    this.box.replaceChildren(words, ...buttons);
    buttons.find((button) => button.dataset.label === focused)?.focus();
  }

  count() {
    const number = this.of.size;
    this.bar.querySelector(".marks-count").textContent = number ? `You have labelled ${number} of ${this.gallery.data.cells} cells.` : "You have labelled no cell yet.";
    this.bar.querySelector("[data-download]").disabled = !number;
  }

  // A value as a cell of a table: in quotation marks where it could end the cell.
  static quoted(text) { return /["\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; }

  sheet() {
    const {gallery, rules} = this;
    const cells = [...this.of.keys()].sort((one, other) => one - other);
    const named = cells.some((cell) => gallery.value(rules.subject, cell));
    const head = ["path", "x", "y", "label", ...(named ? ["subject"] : []), "origin"];
    const rows = cells.map((cell) => [gallery.value(rules.path, cell), rules.x[cell], rules.y[cell], this.of.get(cell),
      ...(named ? [gallery.value(rules.subject, cell)] : []), rules.origin]);
    return [head, ...rows].map((row) => row.map((value) => Marks.quoted(String(value))).join("\t") + "\n").join("");
  }

  download() {
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([this.sheet()], {type: "text/tab-separated-values"}));
    anchor.download = this.rules.file;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
    this.saved = true;
  }

  // Labels of a sheet that was downloaded before; rows that fit no cell are counted.
  async load(file) {
    if (file) this.read(await file.text());
  }

  read(text) {
    const [head, ...rows] = Marks.table(text);
    const at = Object.fromEntries(["path", "x", "y", "label"].map((name) => [name, (head ?? []).indexOf(name)]));
    const place = (path, x, y) => `${path}\n${Number(x)}\n${Number(y)}`;
    const cellOf = new Map(this.rules.x.map((x, cell) => [place(this.gallery.value(this.rules.path, cell), x, this.rules.y[cell]), cell]));
    let read = 0;
    for (const row of Object.values(at).includes(-1) ? [] : rows) {
      const cell = cellOf.get(place(row[at.path], row[at.x], row[at.y]));
      if (cell === undefined || !this.names.includes(row[at.label])) continue;
      this.of.set(cell, row[at.label]);
      read += 1;
    }
    this.gallery.clear();
    this.gallery.draw();
    this.count();
    this.bar.querySelector(".marks-count").textContent += ` ${read} of ${rows.length} rows of the file fit a cell of this page.`;
  }

  // The rows of a tab-separated table, with cells in quotation marks as quoted() writes them.
  static table(text) {
    const rows = [[]];
    for (const [, quoted, plain, end] of text.replaceAll("\r\n", "\n").matchAll(/(?:"((?:[^"]|"")*)"|([^\t\n]*))(\t|\n|$)/g)) {
      if (end === "" && quoted === undefined && plain === "" && !rows.at(-1).length) break;
      rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
      if (end === "\n") rows.push([]);
      if (end === "") break;
    }
    return rows.filter((row) => row.length);
  }
}

document.querySelectorAll("[data-gallery]").forEach((root) => { root.gallery = new Gallery(root); });

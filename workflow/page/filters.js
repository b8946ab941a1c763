"use strict";
// A form of filters: choices by which the gallery and the photographs of smears select what they show.

class Filters {
  constructor(form) {
    this.form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  field(name) { return this.form.elements[name]; }

  value(name) { return this.field(name).value; }

  option(name, value, text) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    this.field(name).append(option);
    return option;
  }

  // In place of the choices that it has, a field gets "all" and pairs of value and text: by the
  // text, 2 before 10. It is shown where there is something to choose.
  choose(name, pairs) {
    this.field(name).replaceChildren();
    this.option(name, "", "all");
    Filters.byName(pairs, ([, text]) => text).forEach(([value, text]) => this.option(name, value, text));
    this.show(name, pairs.length > 1);
  }

  show(name, shown) { this.field(name).closest("label").hidden = !shown; }

  // A field with a heading, whose choices come later.
  add(parent, name, title) {
    const label = document.createElement("label");
    label.append(`${title} `);
    const select = document.createElement("select");
    select.name = name;
    label.append(select);
    parent.append(label);
  }

  static byName(values, text) {
    return [...values].sort((one, other) => text(one).localeCompare(text(other), "en", {numeric: true}));
  }
}

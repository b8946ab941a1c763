// Uses a gallery as a reader would; the outcome is the last text of the page.
const frame = () => new Promise((resolve) => setTimeout(resolve, 20));
const until = async (happened) => { for (let tries = 0; tries < 100 && !happened(); tries += 1) await frame(); };
const root = document.querySelector(".gallery");
const view = root.querySelector(".gallery-view");
const cells = () => [...root.querySelectorAll(".gallery-cell")];
const found = {};
const look = (name) => {
  found[name] = {
    count: root.querySelector(".gallery-count").textContent,
    drawn: cells().length,
    sheets: Number(root.dataset.sheets),
    first: cells()[0]?.getAttribute("aria-label"),
  };
};
const set = (name, value) => {
  const field = root.querySelector("form").elements[name];
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
};
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
// The event of a scroll comes with the next frame, see TIMED_FRAMES.
const scroll = (top) => { view.scrollTop = top; view.dispatchEvent(new Event("scroll")); };
const place = (cell) => Number(cell.dataset.place);

(async () => {
  await until(() => cells().length);
  look("opened");
  set("verdict", "wrong");
  look("wrong");
  set("verdict", "");
  set("order", "falling");
  look("falling");
  set("lowest", "0.25");
  set("highest", "0.5");
  set("order", "rising");
  look("middle");
  set("column-subject", root.querySelector("form").elements["column-subject"].options[8].value);
  look("subject");
  for (const [name, value] of [["column-subject", ""], ["lowest", "0"], ["highest", "1"]]) set(name, value);
  set("order", "map");
  look("mapped");
  root.querySelector("form").reset();
  await frame();
  look("reset");
  set("order", "name");
  scroll(1e9);
  await until(() => place(cells()[0]) > 0);
  look("scrolled");
  found.last = place(cells().pop());
  scroll(0);
  await until(() => place(cells()[0]) === 0);
  cells()[0].click();
  found.detail = root.querySelector(".detail-body").textContent;
  root.querySelector("[data-step='1']").click();
  found.next = root.querySelector(".detail-body").textContent;
  found.tiles = [...root.querySelectorAll(".detail-body .picture")].map((node) => node.style.backgroundPosition);
  root.querySelector("[data-close]").click();
  // As that of a scroll.
  root.querySelector("dialog").dispatchEvent(new Event("close"));
  await until(() => document.activeElement.matches(".gallery-cell"));
  press("ArrowRight");
  press("End");
  found.focused = document.activeElement.getAttribute("aria-label");
  const outcome = document.createElement("pre");
  outcome.textContent = `OUTCOME ${JSON.stringify(found)} END`;
  document.body.append(outcome);
})();

// Uses the page of an application as a reader would; the outcome is the last text of the page.
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const until = async (happened) => { for (let tries = 0; tries < 100 && !happened(); tries += 1) await pause(); };
const viewer = document.querySelector(".viewer");
const root = document.querySelector(".gallery");
const cells = () => [...root.querySelectorAll(".gallery-cell")];
const drawn = () => [...viewer.querySelectorAll("svg .cell")];
const found = {};
const set = (form, name, value) => {
  const field = form.elements[name];
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
};
const choose = (name, value) => set(root.querySelector("form"), name, value);
const coded = (name, text) => [...root.querySelector("form").elements[name].options].find((option) => option.text === text).value;
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const count = () => root.querySelector(".gallery-count").textContent;
const first = () => cells()[0].getAttribute("aria-label");
// What is downloaded is caught before it leaves the page.
let kept = null;
const keep = URL.createObjectURL;
URL.createObjectURL = (blob) => { if (blob.type.startsWith("text/")) kept = blob; return keep.call(URL, blob); };

(async () => {
  await until(() => cells().length);
  found.first = first();
  found.drawn = cells().length;
  // Photographs.
  found.shown = viewer.dataset.shown;
  found.outlines = drawn().length;
  found.label = drawn()[0].getAttribute("aria-label");
  drawn()[0].focus();
  found.about = viewer.querySelector(".viewer-about").textContent;
  press("ArrowRight");
  found.second = document.activeElement.getAttribute("aria-label");
  press("Enter");
  found.opened = root.querySelector("dialog").open && root.querySelector(".detail-body").textContent;
  root.querySelector("[data-close]").click();
  root.querySelector("dialog").dispatchEvent(new Event("close"));
  set(viewer.querySelector("form"), "order", "share");
  found.highest = viewer.dataset.shown;
  viewer.querySelector("[data-step='1']").click();
  found.next = viewer.dataset.shown;
  found.loaded = await new Promise((resolve) => {
    const image = viewer.querySelector("img");
    if (image.complete && image.naturalWidth) resolve(image.naturalWidth);
    image.addEventListener("load", () => resolve(image.naturalWidth));
    image.addEventListener("error", () => resolve("broken"));
  });
  found.wide = document.documentElement.scrollWidth <= window.innerWidth;
  // The gallery.
  choose("order", "measure-0");
  found.spread = first();
  choose("order", "measure-1");
  found.distance = first();
  choose("column-subject", coded("column-subject", "P7"));
  found.subject = count();
  choose("column-class", coded("column-class", "blast"));
  found.both = count();
  choose("column-flag", coded("column-flag", "unlike the training images"));
  found.flagged = count();
  root.querySelector("form").reset();
  await pause();
  choose("order", "name");
  // Labels: by a button, by keys, changed, taken back.
  cells()[0].click();
  root.querySelector(".detail-marks [data-label=blast]").click();
  root.querySelector("[data-step='1']").click();
  root.querySelector(".detail-marks [data-label=not_a_leukocyte]").click();
  root.querySelector("[data-close]").click();
  root.querySelector("dialog").dispatchEvent(new Event("close"));
  await until(() => document.activeElement.matches(".gallery-cell"));
  press("ArrowRight");
  press("2");
  press("1");
  found.marked = document.activeElement.getAttribute("aria-label");
  press("ArrowRight");
  press("2");
  press("Delete");
  press("End");
  press("2");
  choose("marked", "yes");
  found.labelled = count();
  found.bar = root.querySelector(".marks-count").textContent;
  root.querySelector("[data-download]").click();
  await until(() => kept);
  const text = await kept.text();
  found.sheet = text;
  // A file that was downloaded before gives its labels back.
  const {marks} = root.gallery;
  marks.of.clear();
  marks.read(text + "nowhere.png\t1\t2\tblast\tX\tdetected\n");
  found.again = marks.sheet() === text;
  found.read = root.querySelector(".marks-count").textContent;
  const outcome = document.createElement("pre");
  outcome.textContent = `OUTCOME ${encodeURIComponent(JSON.stringify(found))} END`;
  document.body.append(outcome);
})();

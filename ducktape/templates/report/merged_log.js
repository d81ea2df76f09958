/* SPDX-License-Identifier: Apache-2.0 */
/* The merged log of a test is made when it is opened: most are never read. */
(() => {
  "use strict";

  const ROWS_IN_PORTION = 200;
  const PORTIONS_AT_ONCE = 5;
  const RANKS = { debug: 0, "": 1, info: 1, warn: 2, error: 3 };
  const CHOICES = [
    ["0", "all levels"],
    ["1", "info and above"],
    ["2", "warnings and errors"],
    ["3", "errors"],
  ];
  const [TIME, SOURCE, KIND, TEXT, CORRECTION] = [0, 1, 2, 3, 4];

  /* Texts become text nodes: nothing in a log is markup */
  const made = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const seconds = (thousandths) => (thousandths / 1000).toFixed(3);
  const number = (value) => value.toLocaleString("en-US");

  const show = (fold, { start, sources, entries, notes }) => {
    const clock = (time) => new Date(start * 1000 + time).toISOString().replace("T", " ").replace("Z", " UTC");
    const moments = (entry) => {
      const corrected = entry[CORRECTION];
      if (!corrected) return clock(entry[TIME]);
      const sign = corrected > 0 ? "+" : "";
      return `${clock(entry[TIME])}; the node's clock said ${clock(entry[TIME] - corrected)}, corrected by ${sign}${corrected / 1000} s`;
    };
    const row = (entry) => {
      const isEvent = entry[SOURCE] < 0;
      const [node, path] = isEvent ? ["", ""] : sources[entry[SOURCE]];
      const time = made("span", { role: "cell", title: moments(entry) }, seconds(entry[TIME]));
      if (entry[CORRECTION]) time.append(made("abbr", { title: moments(entry) }, " ±"));
      return made(
        "div",
        { role: "row", class: isEvent ? `event ${entry[KIND]}` : entry[KIND] },
        time,
        made("span", { role: "cell", title: path }, isEvent ? "" : node || "test"),
        made("span", { role: "cell" }, entry[KIND]),
        made("span", { role: "cell" }, entry[TEXT]),
      );
    };

    /* As in the list of tests: as long as no button is pressed, everything is shown */
    const buttons = sources.map(([node, path]) => {
      const name = path.split("/").at(-1);
      const button = made("button", { type: "button", "aria-pressed": "false", title: path });
      button.append(made("b", {}, node || "test"), ` ${name}`);
      return button;
    });
    const level = made("select", { "aria-label": "Level" });
    level.append(...CHOICES.map(([value, text]) => made("option", { value }, text)));
    level.value = "1";
    const input = made("input", {
      type: "search",
      placeholder: "Filter by text",
      "aria-label": "Filter lines by text",
      autocomplete: "off",
    });
    const jump = made("button", { type: "button" }, "To the failure");
    const count = made("output", {});
    const body = made("div", { role: "table", "aria-label": "Merged log" });
    const box = made("div", { class: "log_lines", role: "region", "aria-label": "Lines of the merged log", tabindex: "0" });
    const heads = ["Seconds", "Node", "Level", "Text"].map((name) => made("span", { role: "columnheader" }, name));
    const head = made("div", { role: "rowgroup", class: "log_head" }, made("div", { role: "row" }, ...heads));

    let shown = [];
    let rows = [];
    let timer = 0;
    const extend = () => {
      const portion = shown.slice(rows.length, rows.length + ROWS_IN_PORTION).map(row);
      const group = made("div", { role: "rowgroup", class: "log_portion" }, ...portion);
      /* How high it is, about, before it has come into view */
      group.style.containIntrinsicHeight = `auto ${portion.length * 1.3}rem`;
      rows.push(...portion);
      body.append(group);
    };
    const extendAll = () => {
      for (let portion = 0; portion < PORTIONS_AT_ONCE && rows.length < shown.length; portion++) extend();
      if (rows.length < shown.length) timer = setTimeout(extendAll, 0);
    };
    const apply = () => {
      clearTimeout(timer);
      const wanted = buttons.flatMap((button, index) => (button.getAttribute("aria-pressed") === "true" ? [index] : []));
      const least = Number(level.value);
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const matches = (entry) =>
        (!wanted.length || wanted.includes(entry[SOURCE])) &&
        RANKS[entry[KIND]] >= least &&
        (!words.length || words.every((word) => entry[TEXT].toLowerCase().includes(word)));
      shown = entries.filter((entry) => entry[SOURCE] < 0 || matches(entry));
      const lines = (some) => some.filter((entry) => entry[SOURCE] >= 0).length;
      count.textContent = `${number(lines(shown))} of ${number(lines(entries))} entries`;
      rows = [];
      body.replaceChildren(head);
      extendAll();
    };

    for (const button of buttons) {
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
        apply();
      });
    }
    level.addEventListener("change", apply);
    let typing = 0;
    input.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(apply, 150);
    });
    let next = 0;
    jump.addEventListener("click", () => {
      const failures = shown.flatMap((entry, index) => (entry[KIND] === "failure" ? [index] : []));
      const index = failures[next++ % failures.length];
      while (rows.length <= index) extend();
      rows[index].tabIndex = -1;
      rows[index].scrollIntoView({ block: "center" });
      rows[index].focus({ preventScroll: true });
    });

    const controls = made("div", { class: "log_filter" }, made("div", { class: "log_sources" }, ...buttons), level, input);
    if (entries.some((entry) => entry[KIND] === "failure")) controls.append(jump);
    controls.append(count);
    box.append(body);
    fold.append(...notes.map((note) => made("p", { class: "log_note" }, note)), controls, box);
    apply();
  };

  const folds = [...document.querySelectorAll(".merged_log")];
  const foldOf = (name) => folds.find((fold) => fold.dataset.log === name);

  /* Files with logs call it */
  window.showMergedLog = (name, data) => show(foldOf(name), data);

  const fill = (fold) => {
    if (fold.dataset.filled) return;
    fold.dataset.filled = "1";
    const file = fold.dataset.file;
    if (!file) {
      show(fold, JSON.parse(document.getElementById(`log-${fold.dataset.log}`).textContent));
      return;
    }
    const script = made("script", { src: file });
    script.addEventListener("error", () => {
      fold.append(made("p", {}, `${file} is missing. It has to be beside report.html.`));
    });
    fold.append(script);
  };
  for (const fold of folds) {
    fold.hidden = false;
    fold.addEventListener("toggle", () => fold.open && fill(fold));
  }
})();

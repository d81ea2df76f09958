/* SPDX-License-Identifier: Apache-2.0 */
/* Without scripts the page shows everything; with them its rows can be filtered, sorted and grouped. */
(() => {
  "use strict";

  const MOST_ROWS_SHOWN = 250;
  const CONSTANTS = {
    failed: () => FAILED_TESTS,
    not_run: () => NOT_RUN_TESTS,
    ignored: () => IGNORED_TESTS,
    flaky: () => FLAKY_TESTS,
    passed: () => PASSED_TESTS,
  };
  const main = document.querySelector("main");
  const input = document.getElementById("filter_text");
  const output = document.getElementById("filter_count");
  const selects = {
    sort: document.getElementById("sort_by"),
    group: document.getElementById("group_by"),
    module: document.getElementById("filter_module"),
    tag: document.getElementById("filter_tag"),
  };
  const buttons = [...document.querySelectorAll("button[data-reason], button[data-panel], button[data-change]")];
  let timer = 0;

  /* A section has a heading and blocks of rows: it shows the tests of one outcome, or those of a group */
  const panels = [...document.querySelectorAll("div[id$='_test_panel']")].map((element) => {
    const blocks = [...element.querySelectorAll(".report_table")].map((table) => ({
      fold: table.closest("details"),
      label: table.parentElement.querySelector(":scope > summary")?.textContent,
      table,
      body: table.tBodies[0],
      size: table.tBodies[0].rows.length,
    }));
    const name = element.id.replace("_test_panel", "");
    return { element, name, title: element.querySelector("h2")?.textContent, blocks };
  });
  const entries = [];
  for (const panel of panels) {
    const tests = panel.blocks.length ? CONSTANTS[panel.name]() : [];
    for (const block of panel.blocks) {
      block.entries = [...block.body.rows].map((row) => ({ row, panel }));
      for (const entry of block.entries) Object.assign(entry, { index: entries.push(entry) });
    }
    panel.blocks.flatMap((block) => block.entries).forEach((entry, index) => (entry.test = tests[index]));
  }

  /* Found out when first asked for: most readers of a long page never filter, sort or group it */
  const kept = (name, find) => (entry) => (entry[name] ??= find(entry));
  const text = kept("text", ({ row }) => row.textContent.toLowerCase());
  const reason = kept("reason", ({ row }) => row.querySelector(".reason")?.textContent ?? "other");
  const seconds = kept("seconds", ({ test }) => {
    const [, minutes, rest] = /(?:(\d+) minutes? )?([\d.]+) seconds/.exec(test.run_time ?? "") ?? [0, 0, 0];
    return 60 * (minutes ?? 0) + Number(rest);
  });
  const place = kept("place", ({ test }) => /^Module: +([^\n]*)\nClass: +([^\n]*)/.exec(test.test_name)?.slice(1) ?? []);
  const module = (entry) => place(entry)[0] ?? "";
  const tags = ({ test }) => test.tags ?? [];
  const TITLES = {
    module,
    class: (entry) => place(entry).filter((name) => name !== "None").join("."),
    reason: (entry) => (entry.panel.name === "failed" ? reason(entry) : entry.panel.title),
    tag: (entry) => tags(entry).join(", ") || "no tag",
    change: ({ row }) => row.dataset.change ?? "no change",
  };
  const ORDERS = {
    "": (one, other) => one.index - other.index,
    name: ({ test: { test_name: one } }, { test: { test_name: other } }) => (one < other ? -1 : Number(one > other)),
    time: (one, other) => seconds(other) - seconds(one),
  };

  const make = (name, className, ...children) => {
    const element = document.createElement(name);
    element.className = className;
    element.append(...children);
    return element;
  };
  const number = (value) => value.toLocaleString("en");

  const groupOf = (title, members) => {
    const count = make("span", "group_count");
    const element = make("details", "group", make("summary", "", make("h3", "", title), " ", count));
    const head = document.querySelector(".report_table:not(.not_run) > thead, .report_table > thead");
    const blocks = [];
    for (let start = 0; start < members.length; start += MOST_ROWS_SHOWN) {
      const size = Math.min(MOST_ROWS_SHOWN, members.length - start);
      const body = make("tbody", "");
      const table = make("table", "report_table", head.cloneNode(true), body);
      const label = `${number(start + 1)} to ${number(start + size)} of ${number(members.length)}`;
      const fold = size < members.length ? make("details", "block", make("summary", "", label), table) : null;
      element.append(fold ?? table);
      blocks.push({ fold, label, table, body, size });
    }
    const failed = members.filter((entry) => entry.panel.name === "failed").length;
    return { element, title, members, blocks, count, failed };
  };

  const groupingBy = (name) => {
    const members = new Map();
    for (const entry of entries) {
      const title = TITLES[name](entry);
      if (!members.has(title)) members.set(title, []);
      members.get(title).push(entry);
    }
    const groups = [...members].map(([title, found]) => groupOf(title, found));
    groups.sort((one, other) => other.failed - one.failed || (one.title < other.title ? -1 : 1));
    const element = make("div", "groups", ...groups.map((each) => each.element));
    main.append(element);
    return { element, groups };
  };

  /* Rows move to where they belong when somebody sees them or the browser is idle: there may be thousands.
     Those that nobody needs at the moment wait in the store */
  const store = make("table", "");
  store.hidden = true;
  main.append(store);
  const fill = (block) => {
    if (!block.isStale) return;
    block.isStale = false;
    const rows = block.entries.map((entry) => entry.row);
    const staying = new Set(rows);
    store.append(...[...block.body.rows].filter((row) => !staying.has(row)));
    block.body.append(...rows);
  };
  const isOpen = ({ element }, { fold }) => (element.open ?? true) && (fold?.open ?? true);
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const fillLater = (deadline) => {
    for (const block of sections.flatMap(({ blocks }) => blocks)) {
      if (!block.isStale) continue;
      fill(block);
      if (!deadline?.timeRemaining?.()) return void idle(fillLater);
    }
  };

  const groupings = new Map();
  let sections = panels;
  let sorted = "";
  let grouped = "";

  const arrange = () => {
    const [order, group] = [selects.sort.value, selects.group.value];
    if (order === sorted && group === grouped) return;
    [sorted, grouped] = [order, group];
    if (group && !groupings.has(group)) groupings.set(group, groupingBy(group));
    groupings.forEach(({ element }, name) => (element.hidden = name !== group));
    sections = group ? groupings.get(group).groups : panels;
    for (const panel of panels) panel.element.hidden = Boolean(group);
    const lists = new Map(sections.map((section) => [section, []]));
    const sectionOf = new Map(sections.flatMap((section) => (section.members ?? []).map((entry) => [entry, section])));
    for (const entry of entries.sort((one, other) => ORDERS[order](one, other) || one.index - other.index)) {
      lists.get(sectionOf.get(entry) ?? entry.panel).push(entry);
    }
    for (const [{ blocks }, list] of lists) {
      for (const block of blocks) {
        block.entries = list.splice(0, block.size);
        block.isStale = true;
      }
    }
    idle(fillLater);
  };

  const pressed = (name) =>
    buttons
      .filter((button) => button.dataset[name] && button.getAttribute("aria-pressed") === "true")
      .map((button) => button.dataset[name]);

  const apply = () => {
    arrange();
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [reasons, names, changes] = ["reason", "panel", "change"].map(pressed);
    const [wantedModule, wantedTag] = [selects.module.value, selects.tag.value];
    const isFiltered = words.length + reasons.length + names.length + changes.length > 0 || wantedModule || wantedTag;
    const matches = (entry) =>
      (!names.length || names.includes(entry.panel.element.id)) &&
      (!changes.length || changes.includes(entry.row.dataset.change)) &&
      (!reasons.length || (entry.panel.name === "failed" && reasons.includes(reason(entry)))) &&
      (!wantedModule || module(entry) === wantedModule) &&
      (!wantedTag || tags(entry).includes(wantedTag)) &&
      words.every((word) => text(entry).includes(word));
    let found = 0;
    for (const section of sections) {
      let inSection = 0;
      section.blocks.forEach((block, index) => {
        let inBlock = 0;
        for (const entry of block.entries) {
          const isShown = matches(entry);
          entry.row.hidden = !isShown;
          inBlock += isShown;
        }
        if (block.fold) {
          block.fold.hidden = !inBlock;
          block.fold.open = isFiltered ? inSection + inBlock <= MOST_ROWS_SHOWN || !inSection : !index;
          block.fold.firstElementChild.textContent =
            inBlock < block.size ? `${block.label}: ${number(inBlock)} shown` : block.label;
        } else {
          block.table.hidden = !inBlock;
        }
        inSection += inBlock;
      });
      section.element.hidden = isFiltered && !inSection;
      if (section.members) {
        const size = section.members.length;
        section.element.open = (isFiltered || section.failed > 0) && (found + inSection <= MOST_ROWS_SHOWN || !found);
        section.count.textContent =
          `${number(section.failed)} of ${number(size)} failed` + (inSection < size ? `: ${number(inSection)} shown` : "");
      }
      found += inSection;
      section.blocks.filter((block) => isOpen(section, block)).forEach(fill);
    }
    output.textContent = isFiltered ? `${found} of ${entries.length} tests` : "";
  };

  /* What is looked at is in the address, so that a link shows another reader the same */
  const STATE = ["text", ...Object.keys(selects), "reason", "change", "panel"];
  const remember = () => {
    const state = new URLSearchParams();
    if (input.value) state.set("text", input.value);
    for (const [name, select] of Object.entries(selects)) if (select.value) state.set(name, select.value);
    for (const name of ["reason", "change", "panel"]) pressed(name).forEach((value) => state.append(name, value));
    history.replaceState(null, "", `#${state}`);
  };

  const recall = () => {
    const hash = location.hash.slice(1);
    const target = hash && !hash.includes("=") && document.getElementById(hash);
    const state = new URLSearchParams(target ? "" : location.hash.slice(1));
    if (!target && !STATE.some((name) => state.has(name))) return;
    input.value = state.get("text") ?? "";
    for (const [name, select] of Object.entries(selects)) {
      /* Whoever follows a link to a test wants to see it, in the order and the groups of before */
      if (target && name === "sort") continue;
      if (target && name === "group" && panels.every(({ element }) => element !== target)) continue;
      select.value = state.get(name) ?? "";
      if (select.selectedIndex < 0) select.value = "";
    }
    for (const button of buttons) {
      const on = Object.entries(button.dataset).some(([name, value]) => state.getAll(name).includes(value));
      button.setAttribute("aria-pressed", String(on));
    }
    apply();
    if (!target) return;
    /* What is linked to must not be hidden */
    for (const section of sections) {
      const block = section.blocks.find(({ entries }) => entries.some(({ row }) => row === target));
      if (block) fill(block);
    }
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    const details = target.querySelector(".test");
    if (details) details.open = true;
    target.scrollIntoView();
  };

  /* The address follows when nobody types any more: browsers allow only so many changes of it */
  const change = (pause = 0) => {
    apply();
    clearTimeout(timer);
    if (pause) timer = setTimeout(remember, pause);
    else remember();
  };

  /* Choices that would not choose anything are left out */
  const choices = { module: (entry) => [module(entry)], tag: tags };
  for (const [name, values] of Object.entries(choices)) {
    const found = [...new Set(entries.flatMap(values))].filter(Boolean).sort();
    selects[name].append(...found.map((value) => new Option(value, value)));
    selects[name].hidden = found.length < (name === "module" ? 2 : 1);
  }
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      change();
    });
  }
  /* What was typed is painted first */
  let isTyped = false;
  input.addEventListener("input", () => {
    if (isTyped) return;
    isTyped = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        isTyped = false;
        change(300);
      }),
    );
  });
  for (const element of [input, ...Object.values(selects)]) element.addEventListener("change", () => change());
  window.addEventListener("hashchange", recall);
  /* Nothing changes when the same link is followed again */
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#']")?.getAttribute("href") === location.hash) recall();
  });
  /* Folds are opened by readers, and by the browser when it finds a text in them */
  const mark = (details) => details.closest("tr").classList.toggle("unfolded", details.open);
  const onToggle = ({ target }) => {
    if (target.matches(".test")) mark(target);
    for (const section of sections) section.blocks.filter((block) => isOpen(section, block)).forEach(fill);
  };
  main.addEventListener("toggle", onToggle, { capture: true });

  /* Keys as in other programs for reading: / searches, j and k go to the next and the previous test */
  document.addEventListener("keydown", (event) => {
    const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || inField) {
      if (event.key === "Escape" && event.target === input) input.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      input.focus();
    }
    if (event.key === "j" || event.key === "k") {
      const open = sections.flatMap((section) => section.blocks.filter((block) => isOpen(section, block)));
      const shown = open.flatMap(({ entries }) => entries.map(({ row }) => row)).filter((row) => !row.hidden);
      const withDetails = shown.filter((row) => row.querySelector(".test"));
      const next = withDetails.indexOf(document.activeElement.closest("tr")) + (event.key === "j" ? 1 : -1);
      withDetails[Math.max(0, next)]?.querySelector(".test > summary").focus();
    }
  });

  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        button.textContent = "Copied";
      });
    }
  }

  /* Paper cannot be unfolded */
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll(".fail .test")) {
      fold.open = true;
      mark(fold);
    }
  });

  document.documentElement.classList.add("scripted");
  document.getElementById("filter_panel").hidden = false;
  /* A browser that goes back may remember what was typed */
  if (STATE.some((name) => (selects[name] ?? input).value)) apply();
  recall();
})();

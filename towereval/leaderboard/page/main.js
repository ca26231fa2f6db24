// Joins the controls, the address and the table.

const find = (selector) => document.querySelector(selector);

async function main() {
  const holder = find("#data");
  let board;
  try {
    board = await readBoard(holder.textContent.trim());
  } catch (error) {
    find("#status").textContent = `This browser cannot read the board (${error}); the same numbers are in leaderboard.json.`;
    return;
  }
  holder.textContent = "";
  const page = new Page(board);
  page.listen();
  page.update();
  window.towereval = page; // for tests and for those who look behind the page
  requestAnimationFrame(() => requestAnimationFrame(() => (page.visible = performance.now())));
}

class Page {
  constructor(board) {
    this.board = board;
    this.state = stateFromHash(location.hash);
    this.grid = new Grid(board, find("#scroll"));
    this.drilldown = new Drilldown(board, find("#dialog"));
    this.form = find("#filters");
    this.tabs = find("#tabs");
    fillControls(board, this.form);
    fillTexts(board);
    fillTabs(board, this.tabs);
  }

  update() {
    const { board, state } = this;
    const hash = hashFromState(state);
    if (hash !== (location.hash || "#")) history.replaceState(null, "", hash === "#" ? location.pathname : hash);
    this.view = computeView(board, state);
    this.syncControls();
    find("#status").innerHTML = statusHtml(board, this.view);
    find("#meaning").textContent = meaningOf(board, this.view);
    this.grid.show(this.view);
  }

  // Set what a control stands for; a new selection starts at the top.
  set(changes) {
    Object.assign(this.state, changes);
    const { scroll } = this.grid;
    if (!("sort" in changes)) scroll.scrollTop = 0;
    if ("view" in changes || "languages" in changes || "measure" in changes) scroll.scrollLeft = 0;
    this.update();
  }

  syncControls() {
    const { form, state } = this;
    for (const name of ["q", "measure", "size", "licence", "view", "cells"]) {
      if (form.elements[name].value !== state[name]) form.elements[name].value = state[name];
    }
    form.elements.languages.value = state.languages;
    form.elements.english.checked = state.english === "in";
    form.elements.own.checked = state.own === "1";
    const selected = state.languages && this.board.codes.includes(state.languages) ? state.languages : "";
    for (const tab of this.tabs.children) {
      const on = tab.dataset.code === selected;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      if (on) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", (event) => this.onInput(event.target));
    this.tabs.addEventListener("click", (event) => {
      const tab = event.target.closest("[data-code]");
      if (tab) this.set({ languages: tab.dataset.code });
    });
    this.tabs.addEventListener("keydown", (event) => this.onTabKey(event));
    const { scroll, table } = this.grid;
    let waiting = false;
    scroll.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.grid.draw(false);
      });
    }, { passive: true });
    addEventListener("resize", () => this.grid.draw(true));
    table.addEventListener("click", (event) => this.onClick(event.target));
    table.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("hashchange", () => {
      this.state = stateFromHash(location.hash);
      this.update();
    });
    const dialog = find("#dialog");
    find("#close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.grid.focus());
    find("#theme").addEventListener("click", nextTheme);
    find("#plots").addEventListener("click", (event) => {
      const row = event.target.closest("[data-measure]");
      if (row) this.openLanguage(Number(row.dataset.model), Number(row.dataset.measure), row.dataset.code);
    });
    if (innerWidth <= 640) find("#more").open = false;
  }

  onInput(control) {
    if (control.type === "checkbox") {
      this.set(control.name === "english" ? { english: control.checked ? "in" : "out" } : { own: control.checked ? "1" : "" });
    } else if (control.name === "q") {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.set({ q: control.value }), 60);
    } else {
      this.set({ [control.name]: control.value });
    }
  }

  onTabKey(event) {
    const tabs = [...this.tabs.children];
    const at = tabs.indexOf(document.activeElement);
    const step = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const next = tabs[(step + tabs.length) % tabs.length];
    this.set({ languages: next.dataset.code });
    next.focus();
  }

  onClick(target) {
    const head = target.closest("[data-sort]");
    if (head) {
      this.sortBy(head.dataset.sort);
      return;
    }
    const cell = target.closest("td[data-row]");
    if (cell) this.openCell(Number(cell.dataset.row), Number(cell.dataset.column));
  }

  sortBy(id) {
    const { state } = this;
    const turned = state.order === "down" ? "up" : "down";
    this.set({ sort: id, order: state.sort === id ? turned : id === "name" ? "up" : "down" });
    this.grid.table.querySelector(`[data-sort="${CSS.escape(id)}"]`)?.focus();
  }

  onKey(event) {
    if (!event.target.closest("td[data-row]")) return;
    const cell = event.target.closest("td[data-row]");
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.openCell(Number(cell.dataset.row), Number(cell.dataset.column));
      return;
    }
    const steps = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-15, 0], PageDown: [15, 0], Home: [0, -1e6], End: [0, 1e6],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    this.grid.active = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
    this.grid.move(...step);
  }

  openCell(row, column) {
    this.grid.active = { row, column };
    this.drilldown.open(this.view.order[row], column < 0 ? this.view.average : this.view.columns[column]);
  }

  openLanguage(model, measure, code) {
    this.drilldown.open(model, measureColumn(this.board, measure, [code], `${measure}:${code}`, code));
  }
}

function fillTexts(board) {
  document.title = board.title;
  find("#title").textContent = board.title;
  const counts = [
    [board.models.length, "model"],
    [new Set(board.measures.map((measure) => measure.task)).size, "task"],
    [board.languages.length, "language"],
  ].map(([count, noun]) => `${count} ${noun}${count === 1 ? "" : "s"}`);
  find("#summary").textContent = `${counts.join(", ")}. Built ${board.created.slice(0, 10)} by towereval ${board.towereval}. ${board.about}`;
  find("#method").textContent = board.rank_method;
  if (board.notices.length) {
    const items = board.notices.map((notice) => `<li>${escapeHtml(notice)}</li>`).join("");
    find("#notices").innerHTML = `<details><summary>${board.notices.length} notes on runs</summary><ul>${items}</ul></details>`;
  }
  if (board.models.length === 1) {
    const all = board.measures.map((measure, index) =>
      measure.languages.length > 1 ? languagePlot(board, 0, index, board.codes) : "");
    find("#plots").innerHTML = all.join("");
    find("#plots").hidden = !all.some(Boolean);
  }
}

function options(pairs) {
  return pairs.map(([value, text]) => `<option value="${escapeHtml(value)}">${escapeHtml(text)}</option>`).join("");
}

function fillControls(board, form) {
  const { elements } = form;
  elements.measure.innerHTML = options([
    ["", "all"],
    ...board.measures.map((measure, index) => [index, measureName(measure)]),
  ]);
  const groups = [...new Set(board.languages.flatMap((language) => language.groups))];
  const scripts = [...new Set(board.languages.map((language) => language.script))].filter(Boolean).sort();
  const named = (kind) => (name) => [`${kind}:${name}`, `${kind} ${name}`];
  const tiers = groups.filter((name) => /^T\d$/.test(name)).sort();
  elements.languages.innerHTML = options([
    ["", "all"],
    ...groups.filter((name) => !tiers.includes(name)).map(named("group")),
    ...tiers.map(named("tier")),
    ...(scripts.length > 1 ? scripts.map(named("script")) : []),
    ...board.languages.map((language) => [language.code, language.english]),
  ]);
  const sizes = board.models.map((model) => model.parameters).filter((size) => size !== null);
  const steps = [1, 4, 10, 40, 100].filter((step) => sizes.some((size) => size <= step) && sizes.some((size) => size > step));
  elements.size.innerHTML = options([["", "any"], ...steps.map((step) => [step, `at most ${step}B`])]);
  const licences = [...new Set(board.models.map((model) => model.licence))].filter(Boolean).sort();
  elements.licence.innerHTML = options([["", "any"], ...licences.map((licence) => [licence, licence])]);
  elements.size.closest("label").hidden = steps.length === 0;
  elements.licence.closest("label").hidden = licences.length === 0 || board.models.length === 1;
  find("#search").hidden = board.models.length < 2;
  find("#english").hidden = !board.codes.includes("en") || board.codes.length === 1;
  const origins = new Set(board.models.flatMap((model) => model.origins));
  find("#own").hidden = origins.size < 2;
}

function fillTabs(board, tabs) {
  const all = [{ code: "", english: "All languages" }, ...board.languages];
  tabs.innerHTML = all
    .map(({ code, english }) =>
      `<button type="button" role="tab" aria-controls="scroll" data-code="${escapeHtml(code)}">${escapeHtml(english)}</button>`)
    .join("");
  tabs.hidden = board.languages.length < 2;
}

function statusHtml(board, view) {
  const { state, models, columns, ranked } = view;
  const parts = [`${models.length} of ${board.models.length} models, ${columns.length} columns`];
  let [n, failed] = [0, 0];
  const seen = new Set();
  for (const column of columns) {
    for (const measure of column.measures) {
      for (const code of column.codes) {
        const pair = board.pairOf.get(`${measure}:${code}`);
        if (pair === undefined || seen.has(pair)) continue;
        seen.add(pair);
        for (const model of models) {
          n += board.cells.n[model * board.pairs.length + pair];
          failed += board.cells.failed[model * board.pairs.length + pair];
        }
      }
    }
  }
  parts.push(`${n.toLocaleString("en")} scores`, `<span${failed ? ' class="failed"' : ""}>${failed.toLocaleString("en")} failed</span>`);
  const html = [`<span>${parts.join(", ")}</span>`];
  if (ranked && !ranked.ranks && board.models.length > 1) {
    html.push("<span>no ranks: they are computed for all, for groups, tiers and scripts, and for single languages</span>");
  }
  if (state.cells === "heat") {
    const steps = Array.from({ length: 11 }, (_, step) => `<i class="heat-${step}"></i>`).join("");
    html.push(`<span class="legend">lowest tenth ${steps} best of the ${state.view === "task" ? "column" : "columns of the same tasks"}</span>`);
  }
  return html.join("");
}

// What "average" means, in words.
function meaningOf(board, view) {
  const { average, state, codes } = view;
  if (!average) return "No average: nothing here can be averaged.";
  const names = average.measures.map((measure) => measureName(board.measures[measure]));
  const has = new Set(average.measures.flatMap((measure) => board.measures[measure].languages));
  const mine = codes.filter((code) => has.has(code));
  const english = has.has("en") ? (mine.includes("en") ? "; English is in" : "; English is out") : "";
  const languages = mine.length === 1 ? languageName(board, mine[0]) : `${mine.length} languages (${mine.join(", ")}${english})`;
  const out = state.measure === "" ? board.measures.filter((measure) => !measure.averaged) : [];
  const left = [...new Set(out.map(measureName))];
  const rest = left.length ? ` Not in it: ${left.join(", ")}.` : "";
  const where = mine.length === 1 ? `in ${languages}` : `each the unweighted mean of those of ${languages} that it has`;
  if (names.length === 1 && mine.length === 1) return `Average: ${names[0]} in ${languages}.${rest}`;
  if (names.length === 1) return `Average: ${names[0]}, unweighted mean over ${languages}.${rest}`;
  return `Average: unweighted mean of ${names.length} tasks (${names.join(", ")})${mine.length === 1 ? " " : ", "}${where}.${rest}`;
}

function nextTheme() {
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  find("#theme").textContent = `Theme: ${next}`;
}

main();

// The table: only the rows and columns in sight are in the page, so 300 models x 1,000 columns scroll.
// Its row heights and column widths are fixed, and the same here and in board.css.

const OVERSCAN = { rows: 4, columns: 2 };

class Grid {
  constructor(board, scroll) {
    this.board = board;
    this.scroll = scroll;
    this.table = scroll.querySelector("table");
    this.active = { row: 0, column: -1 }; // column -1 is the average
    this.drawn = "";
  }

  show(view) {
    this.view = view;
    this.active.row = Math.min(this.active.row, Math.max(0, view.order.length - 1));
    const first = view.average ? -1 : 0;
    this.active.column = Math.max(first, Math.min(this.active.column, view.columns.length - 1));
    this.draw(true);
  }

  sizes() {
    const { view, scroll } = this;
    const phone = innerWidth <= 640;
    const heat = view.state.cells === "heat";
    const fixed = phone ? [52, 136, view.average ? 84 : 0] : [62, 260, view.average ? 112 : 0];
    const least = heat ? (phone ? 50 : 54) : phone ? 84 : 104;
    const [before, room] = [fixed[0] + fixed[1] + fixed[2], scroll.clientWidth];
    const share = Math.floor((room - before) / Math.max(1, view.columns.length));
    return {
      fixed,
      before,
      width: Math.max(least, Math.min(200, share)),
      row: phone ? (heat ? 36 : 44) : heat ? 30 : 38,
      head: view.state.view === "both" ? 84 : 58,
      phone,
      heat,
    };
  }

  draw(force) {
    const { view, scroll } = this;
    const size = this.sizes();
    const height = scroll.clientHeight;
    const rows = view.order.length;
    const columns = view.columns.length;
    const window = {
      top: Math.max(0, Math.floor(scroll.scrollTop / size.row) - OVERSCAN.rows),
      bottom: Math.min(rows, Math.ceil((scroll.scrollTop + height) / size.row) + OVERSCAN.rows),
      left: Math.max(0, Math.floor(scroll.scrollLeft / size.width) - OVERSCAN.columns),
      right: Math.min(
        columns,
        Math.ceil((scroll.scrollLeft + scroll.clientWidth - size.before) / size.width) + OVERSCAN.columns,
      ),
    };
    window.left = Math.min(window.left, columns);
    window.right = Math.max(window.right, window.left);
    const key = Object.values(window).join();
    if (!force && key === this.drawn) return;
    this.drawn = key;
    const focused = document.activeElement?.closest?.("#grid tbody td");
    const { table } = this;
    table.classList.toggle("heat", size.heat);
    table.classList.toggle("without-average", !view.average);
    table.style.width = `${size.before + columns * size.width}px`;
    table.style.setProperty("--row", `${size.row}px`);
    table.setAttribute("aria-rowcount", rows + 1);
    table.setAttribute("aria-colcount", columns + 2 + (view.average ? 1 : 0));
    table.querySelector("colgroup").innerHTML = this.columnWidths(window, size);
    table.querySelector("thead").innerHTML = this.headHtml(window);
    table.querySelector("tbody").innerHTML = this.bodyHtml(window, size);
    this.placeTabStop(Boolean(focused));
    // An empty table's box is low: with rows in it there is room for more.
    if (scroll.clientHeight > height) this.draw(true);
  }

  columnWidths(window, size) {
    const widths = size.fixed.filter(Boolean);
    widths.push(window.left * size.width);
    for (let c = window.left; c < window.right; c++) widths.push(size.width);
    widths.push((this.view.columns.length - window.right) * size.width);
    return widths.map((width) => `<col style="width:${width}px">`).join("");
  }

  headHtml(window) {
    const { view } = this;
    const { state } = view;
    const shown = view.columns.slice(window.left, window.right);
    const spacer = '<th class="spacer" aria-hidden="true"></th>';
    let over = "";
    if (state.view === "both") {
      const blanks = `<th class="rank"></th><th class="model"></th>${view.average ? '<th class="average"></th>' : ""}`;
      over = `<tr class="over" aria-hidden="true">${blanks}${spacer}`;
      for (let c = 0; c < shown.length; ) {
        let end = c;
        while (end < shown.length && shown[end].over === shown[c].over) end++;
        over += `<th colspan="${end - c}"><span>${escapeHtml(shown[c].over)}</span></th>`;
        c = end;
      }
      over += `${spacer}</tr>`;
    }
    const on = view.ranked ? `among the models, on ${view.ranked.title}` : "";
    let html = `${over}<tr aria-rowindex="1"><th class="rank" scope="col" aria-colindex="1" title="${escapeHtml(on)}">Rank</th>`;
    html += this.sortHead("name", "Model", "", "class=model aria-colindex=2", "");
    if (view.average) {
      html += this.sortHead("average", view.average.head, this.range(view.average), "class=average aria-colindex=3", view.average.title);
    }
    html += spacer;
    shown.forEach((column, i) => {
      const figures = [this.range(column), this.sizeOf(column)].filter(Boolean).join(" · ");
      const below = [column.below, figures].filter(Boolean).map(escapeHtml).join("<br>");
      const at = `aria-colindex=${this.columnIndex(window.left + i)}`;
      html += this.sortHead(column.id, column.head, below, at, column.title, column.over);
    });
    return `${html}${spacer}</tr>`;
  }

  // `below` is HTML.
  sortHead(id, head, below, attributes, title, over = "") {
    const { state } = this.view;
    const sorted = state.sort === id;
    const down = state.order === "down";
    const aria = sorted ? ` aria-sort="${down ? "descending" : "ascending"}"` : "";
    const arrow = sorted ? (down ? " ▾" : " ▴") : "";
    const label = over ? ` aria-label="${escapeHtml(`${over} ${head}`)}"` : "";
    return (
      `<th scope="col" ${attributes}${aria}><button type="button" data-sort="${escapeHtml(id)}"` +
      ` title="${escapeHtml(title)}"${label}><bdi>${escapeHtml(head)}</bdi>${arrow}` +
      `${below ? `<small>${below}</small>` : ""}</button></th>`
    );
  }

  range(column) {
    if (this.view.state.cells === "heat") return "";
    const { from, to } = rangeOf(this.view, column);
    return to > from ? `${from.toFixed(0)}–${to.toFixed(0)}` : "";
  }

  columnIndex(column) {
    return column + 3 + (this.view.average ? 1 : 0);
  }

  bodyHtml(window, size) {
    const { view } = this;
    const gap = (rows) =>
      rows ? `<tr aria-hidden="true"><td class="spacer" style="height:${rows * size.row}px"></td></tr>` : "";
    let html = gap(window.top);
    for (let row = window.top; row < window.bottom; row++) html += this.rowHtml(row, window, size);
    return html + gap(view.order.length - window.bottom);
  }

  rowHtml(row, window, size) {
    const { board, view } = this;
    const index = view.order[row];
    const model = board.models[index];
    const marks = [
      model.parameters === null ? "" : `${model.parameters}B`,
      ...model.origins.filter((origin) => origin !== "measured"),
    ].filter(Boolean);
    const small = marks.length ? ` <small>${escapeHtml(marks.join(", "))}</small>` : "";
    let html =
      `<tr aria-rowindex="${row + 2}"><td class="rank" role="gridcell" aria-colindex="1">${rankText(view.ranked, index)}</td>` +
      `<th class="model" scope="row" aria-colindex="2" title="${escapeHtml(model.label)}"><bdi>${escapeHtml(model.label)}</bdi>${small}</th>`;
    if (view.average) html += this.cellHtml(row, -1, view.average, index, "average", size);
    html += '<td class="spacer" aria-hidden="true"></td>';
    for (let c = window.left; c < window.right; c++) html += this.cellHtml(row, c, view.columns[c], index, "", size);
    return `${html}<td class="spacer" aria-hidden="true"></td></tr>`;
  }

  cellHtml(row, c, column, model, name, size) {
    const { view } = this;
    const value = column.value[model];
    const at = `role="gridcell" tabindex="-1" aria-colindex="${c < 0 ? 3 : this.columnIndex(c)}" data-row="${row}" data-column="${c}"`;
    if (Number.isNaN(value)) return this.missingHtml(column, model, name, at);
    const { n, failed } = this.counts(column, model);
    const mark = failed > 0.01 * (n + failed) ? `<b class="failed" title="${failed} of ${n + failed} failed">!</b>` : "";
    if (size.heat && (c < 0 || column.better === "neither")) return `<td class="${name}" ${at}>${mark}${value.toFixed(1)}</td>`;
    if (size.heat) {
      const { best, worst } = coloursOf(view, column);
      const step = Math.max(0, Math.min(10, Math.round(((value - worst) / (best - worst || 1)) * 10)));
      return `<td class="heat-${step} ${name}" ${at}>${mark}${value.toFixed(size.phone ? 0 : 1)}</td>`;
    }
    const half = (column.high[model] - column.low[model]) / 2;
    const low = Number.isNaN(half) ? "" : `<small> ±${half.toFixed(1)}</small>`;
    return `<td class="interval ${name}" ${at} style="${whisker(column, model, rangeOf(view, column))}">${mark}${value.toFixed(1)}${low}</td>`;
  }

  missingHtml(column, model, name, at) {
    const have = column.have[model];
    const text = have ? `${have} of ${column.need}` : "·";
    const label = have ? `no average: ${have} of ${column.need} were run` : "no score";
    return `<td class="missing ${name}" ${at} title="${label}"><span aria-hidden="true">${text}</span><span class="spoken">${label}</span></td>`;
  }

  counts(column, model) {
    const { board } = this;
    const found = { n: 0, failed: 0 };
    for (const measure of column.measures) {
      for (const code of column.codes) {
        const cell = cellOf(board, model, measure, code);
        if (cell < 0) continue;
        found.n += board.cells.n[cell];
        found.failed += board.cells.failed[cell];
      }
    }
    return found;
  }

  // How many samples the column's models were scored on.
  sizeOf(column) {
    return kept(this.view, `n ${column.id}`, () => {
      const all = this.view.models.map((model) => this.counts(column, model).n).filter(Boolean);
      if (!all.length) return "";
      const most = Math.max(...all);
      return `n ${Math.min(...all) === most ? "" : "≤ "}${most.toLocaleString("en")}`;
    });
  }

  placeTabStop(focus) {
    const { row, column } = this.active;
    let cell = this.table.querySelector(`td[data-row="${row}"][data-column="${column}"]`);
    if (!cell) {
      cell = this.table.querySelector("td[data-row]");
      if (!cell || focus) return;
    }
    cell.tabIndex = 0;
    if (focus) cell.focus({ preventScroll: true });
  }

  // Move by rows and columns, bring the cell into sight and focus it.
  move(rows, columns) {
    const { view, scroll, active } = this;
    const size = this.sizes();
    active.row = Math.max(0, Math.min(view.order.length - 1, active.row + rows));
    active.column = Math.max(view.average ? -1 : 0, Math.min(view.columns.length - 1, active.column + columns));
    const top = active.row * size.row;
    const left = Math.max(0, active.column) * size.width;
    const bottom = top + size.row + size.head - scroll.clientHeight + 18;
    const right = left + size.width + size.before - scroll.clientWidth + 18;
    scroll.scrollTop = Math.max(Math.min(scroll.scrollTop, top), bottom);
    scroll.scrollLeft = Math.max(Math.min(scroll.scrollLeft, left), right);
    this.draw(true);
    this.focus();
  }

  focus() {
    const { row, column } = this.active;
    this.table.querySelector(`td[data-row="${row}"][data-column="${column}"]`)?.focus({ preventScroll: true });
  }
}

function rankText(column, model) {
  const ranks = column?.ranks;
  if (!ranks || !ranks.best[model]) return "–";
  const [best, worst] = [ranks.best[model], ranks.best[model] + ranks.more[model]];
  const text = best === worst ? `${best}` : `${best}–${worst}`;
  return best === 1 ? `<b>${text}</b>` : text;
}

// Where the tick and the bar are, as shares of the column's range.
function whisker(column, model, { from, to }) {
  const place = (value) => Math.min(1, Math.max(0, (value - from) / (to - from || 1)));
  const value = place(column.value[model]);
  const known = !Number.isNaN(column.low[model]);
  const low = known ? place(column.low[model]) : value;
  const width = known ? place(column.high[model]) - low : 0;
  // CSS places a background so that 100% leaves no room beside it.
  const left = width < 0.999 ? low / (1 - width) : 0;
  const percent = (share) => `${(share * 100).toFixed(1)}%`;
  return `--value:${percent(value)};--low:${percent(left)};--width:${percent(width)}`;
}

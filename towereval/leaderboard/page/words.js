// What the page says in words about the board and the view.

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
    all.push(spokenHtml(board, 0, () => true));
    find("#plots").innerHTML = `<h2>By language</h2>${all.join("")}`;
    find("#plots").hidden = !all.some(Boolean);
  }
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
    const why = ranked.better === "neither" ? "neither more nor less of it is better" :
      "they are computed for all, for groups, tiers and scripts, and for single languages";
    html.push(`<span>no ranks: ${why}</span>`);
  }
  if (state.cells === "heat") {
    const steps = Array.from({ length: 11 }, (_, step) => `<i class="heat-${step}"></i>`).join("");
    html.push(`<span class="legend">lowest tenth ${steps} best of the ${state.view === "task" ? "column" : "columns of the same tasks"}</span>`);
  }
  return html.join("");
}

// What "average" means, in words; long lists are folded.
const LISTED = { tasks: 6, languages: 12 };

function meaningHtml(board, view) {
  if (!view.average) return "No average: nothing here can be averaged.";
  const [short, full] = [meaningOf(board, view, LISTED), meaningOf(board, view, {})];
  if (short === full) return escapeHtml(full);
  return `<details><summary>${escapeHtml(short)}</summary>${escapeHtml(full)}</details>`;
}

function meaningOf(board, view, most) {
  const { average, state, codes } = view;
  const listed = (names, limit) => (names.length > limit ? "" : names.join(", "));
  const names = average.measures.map((measure) => measureName(board.measures[measure]));
  const tasks = listed(names, most.tasks);
  const has = new Set(average.measures.flatMap((measure) => board.measures[measure].languages));
  const mine = codes.filter((code) => has.has(code));
  const english = has.has("en") ? `English is ${mine.includes("en") ? "in" : "out"}` : "";
  const about = [listed(mine, most.languages), english].filter(Boolean).join("; ");
  const alone = mine.length === 1;
  const lacking = missingMembers(board, state, mine);
  const missing = lacking.length
    ? ` Of ${state.languages.split(":")[1]} ${listed(lacking, most.languages) || `${lacking.length} languages`} ${lacking.length === 1 ? "is" : "are"} missing.`
    : "";
  const languages = alone ? languageName(board, mine[0]) : `${mine.length} languages${about ? ` (${about})` : ""}`;
  const out = state.measure === "" && state.view !== "fidelity" ? board.measures.filter((measure) => !measure.averaged) : [];
  const left = [...new Set(out.map(measureName))];
  const rest = left.length ? ` Not in it: ${listed(left, most.tasks) || `${left.length} measures`}.` : "";
  if (names.length === 1) {
    return `Average: ${names[0]}${alone ? ` in ${languages}` : `, unweighted mean over ${languages}`}.${missing}${rest}`;
  }
  const where = alone ? ` in ${languages}` : `, each the unweighted mean of those of ${languages} that it has`;
  return `Average: unweighted mean of ${names.length} tasks${tasks ? ` (${tasks})` : ""}${where}.${missing}${rest}`;
}

// Members of the selected group for which none of the averaged languages stands.
function missingMembers(board, state, codes) {
  const [kind, name] = state.languages.split(":");
  const group = board.groups.find((each) => each.kind === kind && each.name === name);
  if (!group) return [];
  return Object.entries(group.members)
    .filter(([code, stands]) => !stands.some((each) => codes.includes(each)) && !(code === "en" && state.english === "out"))
    .map(([code]) => code);
}

// In which languages a model's free texts are, and what they score without those in a wrong one.

function spokenHtml(board, model, isWanted) {
  const found = board.answered_in.filter((each) => each.model === model && isWanted(each));
  if (!found.length) return "";
  const heads = ["Task", "Language", "In it", "n", "Undecided", "Taken for", "All answers → without those in a wrong language"];
  return (
    '<section class="answered"><h3>In which languages it answers</h3>' +
    '<div tabindex="0" role="region" aria-label="In which languages it answers"><table class="categories">' +
    `<thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>` +
    `<tbody>${found.map((each) => spokenRow(board, model, each)).join("")}</tbody></table></div></section>`
  );
}

function spokenRow(board, model, each) {
  const about = board.measures[each.measure];
  const cell = cellOf(board, model, each.measure, each.language);
  const [value, low, high] = [board.value[cell], board.low[cell], board.high[cell]];
  const interval = Number.isNaN(low) ? "" : ` (${low.toFixed(1)} to ${high.toFixed(1)})`;
  const wrong = each.wrong.map(([name, count]) => `${name} ${count}`).join(", ");
  const kept = each.kept.map(([name, all, right, n]) => `${name} ${all} → ${right}, n ${n}`);
  const texts = [
    Number.isNaN(value) ? "–" : `${value.toFixed(1)}%${interval}`,
    board.cells.n[cell],
    each.undecided,
    wrong || "–",
    kept.join("; ") || "–",
  ];
  const name = `<th scope="row">${escapeHtml(about.label)}</th><td>${escapeHtml(languageName(board, each.language))}</td>`;
  return `<tr>${name}${texts.map((text) => `<td>${escapeHtml(text)}</td>`).join("")}</tr>`;
}

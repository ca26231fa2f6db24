// What the filters, tabs and the theme offer: nothing that the board has no use for.

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
  for (const id of ["#fidelity", "#spoken-words"]) find(id).hidden = !board.measures.some((measure) => measure.fidelity);
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

function nextTheme() {
  const themes = ["auto", "light", "dark"];
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % themes.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  find("#theme").textContent = `Theme: ${next}`;
}

"""How fast a large board is built and shown: 300 models x 30 tasks x 40 languages.

    python benchmarks/leaderboard.py [--models 300] [--folder DIR]

Runs are made up and have no samples. Prints seconds of `towereval leaderboard`, then, where
Chromium and Playwright are installed (`make browser`), milliseconds in the page: the best and the
median of five loads, and the slowest of three of each filter until the next frame is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.browser.chromium import CHROMIUM, FLAGS
from towereval.languages import LANGUAGES
from towereval.types import Result

TASKS = 30
CODES = [code for code in LANGUAGES if code != "und"] + ["bg", "el", "et", "he", "id", "sw", "th"]
CODES = CODES[:40]
FILTERS = {
    "filter by size": {"size": "10"},
    "filter by words": {"q": "model 1", "size": ""},
    "one language": {"q": "", "languages": "de"},
    "language group": {"languages": "group:core"},
    "without English": {"english": "out", "languages": ""},
    "heat map": {"cells": "heat", "english": "in"},
    "language columns": {"view": "language"},
    "task x language": {"view": "both"},
    "filter at 1,020 columns": {"size": "10"},
    "sort at 1,020 columns": {"sort": "3:de", "size": ""},
    "intervals at 1,020 columns": {"cells": "intervals"},
}
# From a changed filter to the second frame after it, by which the first has been drawn.
MEASURE = """changes => new Promise(resolve => {
    const began = performance.now();
    towereval.set(changes);
    const reckoned = performance.now() - began;
    requestAnimationFrame(() => requestAnimationFrame(
        () => resolve([reckoned, performance.now() - began])));
})"""


def rows(run_id: str, strength: float, chance: random.Random) -> list[dict[str, Any]]:
    made = []
    complete = chance.random() < 0.8
    for task in range(TASKS):
        if not complete and chance.random() < 0.1:
            continue
        codes = CODES if task % 6 else CODES[:10]
        values = []
        for code in codes:
            value = min(0.98, max(0.02, strength + chance.gauss(0, 0.08) - (task % 7) / 30))
            half = 1.96 * (value * (1 - value) / 200) ** 0.5
            values.append(value)
            made.append(row(task, code, value, half, 200, run_id))
        mean, half = statistics.fmean(values), 0.012
        made.append(row(task, "*", mean, half, 200 * len(codes), run_id, tuple(codes)))
    return made


def row(
    task: int,
    language: str,
    value: float,
    half: float,
    n: int,
    run_id: str,
    languages: tuple[str, ...] = (),
) -> dict[str, Any]:
    return asdict(
        Result(
            *(f"task_{task:02}", "made", 1, "full", language, "", "accuracy"),
            *(value, max(0.0, value - half), min(1.0, value + half), n, n % 3, 0),
            *("accuracy|version:1", run_id, languages, "wilson", f"data {task}"),
        )
    )


def make_runs(folder: Path, models: int) -> None:
    chance = random.Random(0)
    for index in range(models):
        name, run_id = f"model {index} {chance.choice((1, 2, 7, 13, 72))}b", f"run-{index}"
        run = folder / f"model-{index}" / run_id
        run.mkdir(parents=True)
        results = rows(run_id, chance.uniform(0.3, 0.8), chance)
        head = {"schema": 1, "run_id": run_id, "model": name}
        created = "2026-01-01T00:00:00+00:00"
        content = json.dumps({**head, "created": created, "results": results})
        (run / "results.json").write_text(content)
        manifest = {**head, "started": created, "engine": "vllm", "limit": None}
        (run / "manifest.json").write_text(json.dumps(manifest))


def build(results: Path, output: Path) -> None:
    began = time.perf_counter()
    script = "from towereval.cli.app import main; main()"
    command = [sys.executable, "-c", script, "leaderboard", str(results), "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, load = time.perf_counter() - began, os.getloadavg()[0]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(f"towereval leaderboard: {wall:.1f} s, {busy:.1f} s of CPU time, at a load of {load:.1f}")
    for name in ("index.html", "leaderboard.json"):
        print(f"{name}: {(output / name).stat().st_size / 1e6:.2f} MB")


def show(page_file: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        loads = []
        for _ in range(5):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(page_file.resolve().as_uri())
            page.wait_for_function("window.towereval?.visible")
            loads.append(page.evaluate("towereval.visible"))
            last = page
        print(f"first table visible: {min(loads):.0f} ms, median {statistics.median(loads):.0f} ms")
        for name, changes in FILTERS.items():
            times = [last.evaluate(MEASURE, changes) for _ in range(3)]
            worst = max(times, key=lambda each: each[1])
            print(f"{name}: {worst[1]:.0f} ms to the next frame, of which {worst[0]:.0f} reckoning")
        scroll = """() => new Promise(resolve => {
            const box = document.querySelector('#scroll'), gaps = [];
            let before = performance.now();
            const step = () => {
                const now = performance.now();
                gaps.push(now - before); before = now;
                box.scrollBy(90, 40);
                gaps.length < 60 ? requestAnimationFrame(step) : resolve(gaps.slice(2));
            };
            requestAnimationFrame(step);
        })"""
        gaps = last.evaluate(scroll)
        print(f"scrolling: {1000 / statistics.fmean(gaps):.0f} frames/s, worst {max(gaps):.0f} ms")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="kept, and used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "results").exists():
            make_runs(folder / "results", given.models)
        build(folder / "results", folder / "board")
        if CHROMIUM:
            show(folder / "board" / "index.html")
        else:
            print("no Chromium: the page was not measured")


if __name__ == "__main__":
    main()

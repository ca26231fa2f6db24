#!/usr/bin/env bash
# Install what the tests in tests/browser need: Playwright for Python, axe-core, and Chromium where there is none.
# CHROMIUM names another browser.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python -m pip install --quiet --constraint requirements/dev.lock --editable '.[browser]'
if [ -n "${CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
else
    echo "no Chromium: install one (Debian: apt-get install chromium), or name it in CHROMIUM" >&2
    exit 1
fi

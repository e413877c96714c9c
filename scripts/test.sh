#!/usr/bin/env bash
# Runs every test, installing what it needs: Rust tests, then the acceptance tests in Python and
# Node against the built binary. `--quick` stops after the Rust tests.
#
# What it installs goes into .test/ and acceptance/*/node_modules, except Chromium and its driver,
# which come from the distribution.
set -euo pipefail
cd "$(dirname "$0")/.."

quick=no
case "${1:-}" in
"") ;;
--quick) quick=yes ;;
*)
  echo "usage: scripts/test.sh [--quick]" >&2
  exit 2
  ;;
esac

say() { printf '\n== %s\n' "$*"; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the distribution's packages whose command is missing: COMMAND=PACKAGE …
install_missing() {
  local missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}"
  fi
}

say "Rust tests"
cargo test --workspace --locked

if [ "$quick" = yes ]; then
  exit 0
fi

install_missing chromium=chromium chromedriver=chromium-driver node=nodejs npm=npm \
  python3=python3
python3 -c 'import ensurepip, venv' 2>/dev/null || {
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv
}

say "client libraries"
[ -x .test/venv/bin/python ] || python3 -m venv .test/venv
.test/venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --requirement acceptance/requirements.txt
for folder in acceptance/pingpp_node acceptance/alipay_node; do
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
done

say "the binary"
cargo build --workspace --locked

say "acceptance tests"
export SYCEE_BIN="$PWD/target/debug/sycee"
export TZ=Asia/Shanghai SE_AVOID_STATS=true SE_OFFLINE=true PYTHONDONTWRITEBYTECODE=1
.test/venv/bin/python -m pytest -c acceptance/pytest.ini acceptance

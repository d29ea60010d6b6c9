#!/usr/bin/env bash
# What surprises: installing niquests replaces urllib3 for every other package of the environment, and reinstalling urllib3
# does not bring it back.
#
# niquests 3.21.2 depends on urllib3-future 2.25.904, a fork. Its wheel brings, besides the package urllib3_future, a start-up
# file (urllib3_future.pth) that copies the fork's files over the folder urllib3 each time Python starts. pip still lists
# urllib3 2.8.0 and `pip check` finds nothing wrong. What the fork gives under that name is not built on the standard
# library: its HTTPConnection is no http.client.HTTPConnection, so code that uses what urllib3 inherits from there breaks.
#
# urllib3-future says in the start-up file that it takes precedence on purpose, and how to keep both: built from source with
# URLLIB3_NO_OVERRIDE set, it keeps to its own name.
#
# This script installs the three packages into a temporary folder, and fails as soon as one of these facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
pip() { "$python" -m pip --quiet --disable-pip-version-check "$@" 2>"$folder/pip.log" || { cat "$folder/pip.log"; exit 1; }; }
seen() { "$python" - <<'PYTHON'
import http.client, importlib.metadata, urllib3, urllib3.connection
listed = importlib.metadata.version("urllib3")
is_usual = issubclass(urllib3.connection.HTTPConnection, http.client.HTTPConnection)
print(f"listed {listed}, imported {urllib3.__version__}, built on http.client: {is_usual}")
PYTHON
}
expect() {
  local found
  found=$(seen)
  echo "$1: $found"
  [ "$found" = "$2" ] || { echo "This has changed: expected '$2'."; exit 1; }
}

pip install urllib3==2.8.0
expect "urllib3 alone" "listed 2.8.0, imported 2.8.0, built on http.client: True"
pip install niquests==3.21.2 urllib3-future==2.25.904
expect "with niquests" "listed 2.8.0, imported 2.25.904, built on http.client: False"
"$python" -m pip --disable-pip-version-check check
pip install --force-reinstall --no-deps urllib3==2.8.0
expect "urllib3 reinstalled" "listed 2.8.0, imported 2.25.904, built on http.client: False"
export URLLIB3_NO_OVERRIDE=1
pip install --force-reinstall --no-deps --no-binary urllib3-future urllib3-future==2.25.904 urllib3==2.8.0
expect "both reinstalled, the fork with URLLIB3_NO_OVERRIDE" "listed 2.8.0, imported 2.8.0, built on http.client: True"
"$python" -c 'import niquests, urllib3_future'

#!/usr/bin/env bash
# What surprises: tiktok-api-client 0.0.15, installed as its README says, cannot be imported; and with what it needs, the first
# statement of its README fails.
#
# Its wheel declares no dependency, and its modules import requests. The error names another module, `main`, which does not exist.
# `TikTok(..., scopes=[...])`, as in the README, reads an attribute that it never sets, so an app can ask for no scope but
# `video.publish`, the default.
#
# This script installs it into a temporary folder, and fails as soon as one of these facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
pip() { "$python" -m pip --quiet --disable-pip-version-check "$@" 2>"$folder/pip.log" || { cat "$folder/pip.log"; exit 1; }; }
expect() {
  local found
  found=$("$python" -c "$2" 2>&1 | tail -1) || true
  echo "$1: $found"
  [ "$found" = "$3" ] || { echo "This has changed: expected '$3'."; exit 1; }
}
begun="from tiktok_api_client import TikTok; tik = TikTok('key', 'secret', 'https://app.example.com/callback'"

pip install tiktok-api-client==0.0.15
expect "as installed" "import tiktok_api_client" "ModuleNotFoundError: No module named 'main'"
pip install requests
expect "with scopes" "$begun, scopes=['video.upload'])" "AttributeError: 'TikTok' object has no attribute 'scopes'"
expect "without scopes" "$begun); print('scope=video.publish' in tik.get_authorization_url())" "True"

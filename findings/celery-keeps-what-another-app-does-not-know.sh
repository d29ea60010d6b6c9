#!/usr/bin/env bash
# What surprises: a worker of Celery 5.7.0 that a program builds for its own app takes a message of that app, never runs the task,
# says nothing, and keeps the message, unacknowledged, as long as it lives: nobody else runs it, either.
#
# `app.WorkController(...)` is the worker that a program can run in a thread of its own. It receives messages by the app that it was
# made from, and runs them by the tasks of the default app of the process. There the task is missing if it was registered as a class
# (`app.register_task`) in an app that is not the default one. `app.set_default()` before the worker is built mends it.
#
# This script installs it into a temporary folder, runs a worker over Celery's broker in memory, and fails as soon as one of these
# facts has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install celery==5.7.0 kombu==5.7.0 2>"$folder/pip.log" ||
  { cat "$folder/pip.log"; exit 1; }
cat >"$folder/program.py" <<'PROGRAM'
import logging, sys, threading, time

import celery

said = []
handler = logging.Handler(logging.WARNING)
handler.emit = lambda record: said.append(record.name) if record.name.startswith("celery") else None
logging.getLogger().addHandler(handler)

app, ran = celery.Celery("shop", broker="memory://", set_as_current=False, fixups=[]), threading.Event()


class Pack(celery.Task):
    name, acks_late = "shop.pack", True

    def run(self):
        ran.set()


pack = app.register_task(Pack())
if sys.argv[1] == "default":
    app.set_default()
quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
worker = app.WorkController(hostname="one@here", pool="threads", concurrency=1, **quiet)
threading.Thread(target=worker.start, daemon=True).start()
pack.apply_async()
was_run = ran.wait(3)
time.sleep(1)
with app.connection_for_read() as connection:
    left = connection.default_channel.queue_declare("celery", passive=True).message_count
messages = worker.consumer.task_consumer.channel.qos
waiting = len(set(messages._delivered) - messages._dirty)  # what is acknowledged is dirty until it is swept
print("run" if was_run else "never run", f"left: {left}", f"unacknowledged: {waiting}", f"warnings: {len(said)}", sep=", ")
PROGRAM
expect() {
  local found
  found=$("$python" "$folder/program.py" "$1" 2>&1 | tail -1) || true
  echo "app $1: $found"
  [ "$found" = "$2" ] || { echo "This has changed: expected '$2'."; exit 1; }
}
expect "of its own" "never run, left: 0, unacknowledged: 1, warnings: 0"
expect "default" "run, left: 0, unacknowledged: 0, warnings: 0"

#!/usr/bin/env bash
# What surprises: FastAPI 0.165.0 closes the files of a form that a view declares (`film: UploadFile`). A form that a dependency reads by
# itself (`await request.form()`, as a check of a token against forged requests does) stays open after the answer: the file of an
# upload keeps its place on the disk until the garbage collector comes by, and then warns. Films have up to 4 GB.
#
# A dependency that yields inside `async with request.form()` closes it after the view.
#
# This script installs it into a temporary folder, sends 3 MB to three views in memory, and fails as soon as one of these facts has
# changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip --quiet --disable-pip-version-check install \
  fastapi==0.165.0 starlette==1.10.0 python-multipart==0.0.34 httpx==0.28.1 2>"$folder/pip.log" ||
  { cat "$folder/pip.log"; exit 1; }
cat >"$folder/program.py" <<'PROGRAM'
import asyncio

import httpx
from fastapi import Depends, FastAPI, Request, UploadFile

app, kept = FastAPI(), []


async def read(request: Request):
    return await request.form()


async def read_and_close(request: Request):
    async with request.form() as form:
        yield form


@app.post("/declared")
async def declared(film: UploadFile):
    kept.append(film)


@app.post("/dependency")
async def dependency(form=Depends(read)):
    kept.append(form["film"])


@app.post("/closing")
async def closing(form=Depends(read_and_close)):
    kept.append(form["film"])


async def main():
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as client:
        for path in ("/declared", "/dependency", "/closing"):
            answer = await client.post(path, files={"film": ("film.mp4", bytes(3_000_000))})
            print(path, answer.status_code, "closed" if kept[-1].file.closed else "open")


asyncio.run(main())
PROGRAM
found=$("$python" "$folder/program.py")
echo "$found"
expected=$(printf '%s\n' "/declared 200 closed" "/dependency 200 open" "/closing 200 closed")
[ "$found" = "$expected" ] || { echo "This has changed: expected:"; echo "$expected"; exit 1; }

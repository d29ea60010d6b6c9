"""A web application in Django: each user connects a TikTok account, uploads films, and posts them from an export page.

It runs against a simulated TikTok. Start `tiktok sandbox --port 8642`, and in a second terminal set what it printed, then:

    export TIKTOK_HOME=/tmp/django-site TIKTOK_REDIRECT_URI=http://127.0.0.1:8000/callback/ SITE_KEY=$(openssl rand -hex 32)
    python examples/web/django_app.py  # and open http://127.0.0.1:8000

Users, passwords, sessions and tokens against forged forms are those of `django.contrib`, in SQLite.
"""

import os
import secrets
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import django
import tiktok_core
from attrs import asdict
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import escape
from django.views.decorators.http import require_POST

from tiktok_adapters import connect, page
from tiktok_core import Authorization, ExportForm, InvalidPost, PostingRefused, TikTok, TikTokError

HEADERS = {"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
FIELDS = '<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>'
OPEN = ("/enter", "/page.css", "/page.js")
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    f"{__name__}.Guard",
]
urlpatterns: list[Any] = []


class Guard:
    """Lets nobody in without a login, says what TikTok refused, and sends the headers of the export page."""

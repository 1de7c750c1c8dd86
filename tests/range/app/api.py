#!/usr/bin/python3
"""The range's web API: what a deployment of it looks like from the outside.

It owns the main process of an app container: access-log lines on stdout, warnings
and errors on stderr, two idle database connections, and a real health endpoint. It
serves no users: the requests in its log are made up, and the database is asked only
whether it answers.

Environment: DATABASE_URL, PORT (8000), BIND (all addresses), COLOUR (seeds the traffic).
"""
import json
import os
import random
import select
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

APPLICATION = "boardofone-api"
POOL_SIZE = 2
LINE_EVERY_S = 0.5
HEALTH_EVERY_S = 15
RECONNECT_AFTER_S = 1

# method, path, status, milliseconds at most, weight
ROUTES = [
    ("GET", "/api/v1/sessions", 200, 60, 8),
    ("GET", "/api/v1/sessions/{sid}", 200, 45, 8),
    ("GET", "/api/v1/sessions/{sid}/stream", 200, 900, 3),
    ("POST", "/api/v1/sessions", 201, 140, 3),
    ("POST", "/api/v1/sessions/{sid}/clarify", 202, 110, 2),
    ("GET", "/api/v1/users/me", 200, 20, 6),
    ("PATCH", "/api/v1/actions/{aid}", 200, 50, 2),
    ("GET", "/api/v1/sessions/{sid}", 404, 12, 1),
    ("POST", "/api/v1/auth/refresh", 401, 8, 1),
]
SLOW_QUERIES = [
    "SELECT persona_code, count(*) FROM contributions GROUP BY persona_code",
    "SELECT * FROM sessions WHERE user_id = %s ORDER BY created_at DESC",
]


def log(level, logger, message):
    """Write one line; what is worse than INFO goes to stderr."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    out = sys.stdout if level == "INFO" else sys.stderr
    line = f"{stamp},{int(now * 1000) % 1000:03d} {level:<7} [{logger}] {message}\n"
    out.write(line)
    out.flush()


class Pool(threading.Thread):
    """Idle connections, opened again whenever the server closes them."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.lost = False

    def run(self):
        while True:
            try:
                self.hold([connect(self.url) for _ in range(POOL_SIZE)])
            except psycopg2.Error as error:
                if not self.lost:
                    log("ERROR", "bo1.db", f"database connection lost: {first_line(error)}")
                self.lost = True
            time.sleep(RECONNECT_AFTER_S)

    def hold(self, connections):
        """Return, or raise, once the server has said something on an idle connection."""
        if self.lost:
            log("INFO", "bo1.db", "database connection restored")
        self.lost = False
        try:
            ready, _, _ = select.select(connections, [], [])
            for connection in ready:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
        finally:
            for connection in connections:
                connection.close()


class Health(BaseHTTPRequestHandler):
    """GET /api/health and /api/health/db; every other path is a 404."""

    def do_GET(self):
        started = time.monotonic()
        status, body = self.answer()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() + b"\n")
        milliseconds = int((time.monotonic() - started) * 1000)
        access("GET", self.path, status, milliseconds, self.client_address[0])

    def answer(self):
        if self.path == "/api/health":
            return 200, {"status": "healthy"}
        if self.path != "/api/health/db":
            return 404, {"detail": "Not Found"}
        try:
            ask_database(self.server.url)
        except psycopg2.Error as error:
            return 503, {"status": "unhealthy", "database": first_line(error)}
        return 200, {"status": "healthy", "database": "connected"}

    def log_message(self, *_):
        """Say nothing: do_GET has logged the request its own way."""


def connect(url):
    connection = psycopg2.connect(url, application_name=APPLICATION, connect_timeout=3)
    connection.autocommit = True
    return connection


def ask_database(url):
    connection = connect(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()


def first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def access(method, path, status, milliseconds, client):
    log("INFO", "uvicorn.access", f'{client} - "{method} {path} HTTP/1.1" {status} {milliseconds}ms')


def one_request(dice):
    """Log one request, and now and then the slow query behind it."""
    weights = [route[4] for route in ROUTES]
    method, path, status, at_most, _ = dice.choices(ROUTES, weights)[0]
    path = path.format(sid=f"bo1_{dice.randrange(16**8):08x}", aid=dice.randrange(1, 9000))
    access(method, path, status, dice.randrange(3, at_most), f"10.0.3.{dice.randrange(2, 40)}")
    if dice.random() < 0.02:
        query = dice.choice(SLOW_QUERIES)
        log("WARNING", "bo1.db", f"slow query: {dice.randrange(500, 2400)}ms {query}")


def check_health(port):
    """Ask our own health endpoint, as the load balancer does."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        urlopen(f"http://127.0.0.1:{port}/api/health/db", timeout=5).close()
    except URLError as error:
        log("ERROR", "bo1.health", f"health check failed: {error}")


def serve_health(url, port):
    server = ThreadingHTTPServer((os.environ.get("BIND", ""), port), Health)
    server.url = url
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    url = os.environ["DATABASE_URL"]
    port = int(os.environ.get("PORT", "8000"))
    dice = random.Random(os.environ.get("COLOUR", "blue"))
    log("INFO", "uvicorn.error", f"Started server process [{os.getpid()}]")
    Pool(url).start()
    serve_health(url, port)
    log("INFO", "uvicorn.error", f"Application startup complete, listening on port {port}")
    next_health = time.monotonic() + HEALTH_EVERY_S
    while True:
        time.sleep(LINE_EVERY_S * dice.uniform(0.4, 1.6))
        one_request(dice)
        if time.monotonic() >= next_health:
            next_health += HEALTH_EVERY_S
            threading.Thread(target=check_health, args=(port,), daemon=True).start()


if __name__ == "__main__":
    main()

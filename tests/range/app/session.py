#!/usr/bin/python3
"""One application session with a real transaction, as the incidents need it.

It owns what a worker of the web API does to the database during an incident: hold a
transaction open, read, write, prepare. Its log lines read like the API's. It exits
when its statement is done, when its session is ended, or on SIGTERM.

Usage: session.py idle | read | write | prepare GID | alter | advisory | advisory-wait
       | crowd N | hoard N                              (DATABASE_URL names the database)
"""
import os
import select
import sys
import time

import psycopg2
import psycopg2.extensions

from api import APPLICATION, access, first_line, log

USER = "usr_000042"


def idle(connection, cursor):
    """Read users and forget to end the transaction, until somebody ends the session."""
    cursor.execute("SELECT count(*) FROM users")
    select.select([connection], [], [])
    cursor.execute("COMMIT")


def read(_connection, cursor):
    cursor.execute(
        "SELECT id, email, display_name, subscription_tier FROM users WHERE id = %s", (USER,)
    )


def write(connection, cursor):
    cursor.execute("UPDATE users SET updated_at = now() WHERE id = %s", (USER,))
    connection.commit()


def prepare(connection, cursor):
    """Leave a prepared transaction behind, as a transaction manager that died would."""
    connection.tpc_begin(sys.argv[2])
    cursor.execute("UPDATE users SET subscription_tier = 'pro' WHERE id = %s", (USER,))
    connection.tpc_prepare()


def alter(connection, cursor):
    """A schema change typed by hand."""
    cursor.execute("SET application_name = 'psql'")
    connection.commit()
    cursor.execute("ALTER TABLE users ADD COLUMN typed_by_hand text")
    connection.rollback()


def advisory(connection, cursor):
    """Hold an advisory lock of the session, idle and in no transaction."""
    cursor.execute("SELECT pg_advisory_lock(42)")
    connection.commit()
    select.select([connection], [], [])


def advisory_wait(_connection, cursor):
    cursor.execute("SELECT pg_advisory_lock(42)")


def begun(query):
    """A further session that has sent its query; nobody reads the answer."""
    url = os.environ["DATABASE_URL"]
    connection = psycopg2.connect(url, application_name=APPLICATION, async_=1)
    while True:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            break
        if state == psycopg2.extensions.POLL_READ:
            select.select([connection], [], [])
        else:
            select.select([], [connection], [])
    if query:
        connection.cursor().execute(query)
    return connection


def crowd(connection, _cursor):
    """So many readers of users, one session each."""
    readers = [begun(f"SELECT * FROM users WHERE id = '{USER}'") for _ in range(int(sys.argv[2]))]
    select.select([connection], [], [])
    return readers


def hoard(connection, _cursor):
    """Idle sessions, until there is no slot left or so many are open."""
    idle_ones = []
    try:
        while len(idle_ones) < int(sys.argv[2]):
            idle_ones.append(begun(None))
    except psycopg2.OperationalError:
        pass
    select.select([connection], [], [])
    return idle_ones


WORK = {
    "idle": (idle, "GET", "/api/v1/admin/stats"),
    "read": (read, "GET", "/api/v1/users/me"),
    "write": (write, "PATCH", "/api/v1/users/me"),
    "prepare": (prepare, "POST", "/api/v1/billing/upgrade"),
    "alter": (alter, "POST", "/api/v1/admin/alter"),
    "advisory": (advisory, "POST", "/api/v1/admin/job"),
    "advisory-wait": (advisory_wait, "POST", "/api/v1/admin/job"),
    "crowd": (crowd, "GET", "/api/v1/users/me"),
    "hoard": (hoard, "GET", "/api/v1/health"),
}


def main():
    work, method, path = WORK[sys.argv[1]]
    started = time.monotonic()
    status = 200
    try:
        connection = psycopg2.connect(os.environ["DATABASE_URL"], application_name=APPLICATION)
        work(connection, connection.cursor())
    except psycopg2.Error as error:
        log("ERROR", "bo1.db", first_line(error))
        status = 500
    access(method, path, status, int((time.monotonic() - started) * 1000), "10.0.3.17")
    return status != 200


if __name__ == "__main__":
    sys.exit(main())

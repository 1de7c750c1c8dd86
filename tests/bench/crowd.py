#!/usr/bin/python3
"""The sessions that the monitors of bench look at: idle ones, some that work, and a lock queue.

Usage: crowd.py CONNINFO IDLE WAITING    Prints "ready" and stays until it is ended.
"""
import select
import sys
import time

import psycopg2
import psycopg2.extensions as ext


def poll(connection):
    while True:
        state = connection.poll()
        if state == ext.POLL_OK:
            return
        if state == ext.POLL_READ:
            select.select([connection], [], [])
        else:
            select.select([], [connection], [])


def begin(conninfo, query, application):
    connection = psycopg2.connect(conninfo, application_name=application, async_=1)
    poll(connection)
    connection.cursor().execute(query)
    return connection


def main():
    conninfo, idle, waiting = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    connections = []
    for _ in range(idle):
        connection = psycopg2.connect(conninfo, application_name="api")
        connection.autocommit = True
        connection.cursor().execute("SELECT 1")
        connections.append(connection)
    if waiting:
        holder = psycopg2.connect(conninfo, application_name="api")
        holder.cursor().execute("SELECT count(*) FROM users")
        connections.append(holder)
        connections.append(begin(conninfo, "ALTER TABLE users ADD COLUMN x int", "alembic"))
        time.sleep(0.3)
    for i in range(waiting):
        connections.append(begin(conninfo, f"SELECT * FROM users WHERE id = {i}", "api"))
    connections.append(begin(conninfo, "SELECT pg_sleep(10000)", "report"))
    print("ready", flush=True)
    time.sleep(100000)


if __name__ == "__main__":
    main()

/*
 * Compares our tunnel to a database with one that is there already (`ssh -L`), through the same
 * client: the throughput of a large result and the round trip of the smallest query. The two take
 * turns in one run, so that whatever else the machine does meets both. TLS is off, to measure the
 * tunnel alone.
 *
 * usage: tunnel SSH_CONFIG SSH_HOST DB_HOST DB_PORT DB_NAME DB_USER THEIR_HOST THEIR_PORT
 *
 * Prints "throughput OURS THEIRS RATIO" in MB/s, the ratio being the median of those of the single
 * rounds (what else the machine does changes within the run, and meets both sides of a round), and "roundtrip OURS THEIRS" in milliseconds, medians.
 * The main thread runs the loop, as in the program; the client blocks in a worker.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/libssh2_transport.h>
#include <pgoncall/ssh/thread.h>
#include <pgoncall/ssh/tunnel.h>

#include "samples.h"

#define COPY_ROWS   200000
#define COPY_BYTES  (COPY_ROWS * 1001LL)
#define COPY_ROUNDS 11
#define PING_BLOCKS 25
#define PING_BLOCK  20 /* queries of one side before the other's turn */
#define PING_WARM   10 /* of each block not counted: the caches are the other side's */

enum { OURS, THEIRS, SIDES };

enum argument {
	ARG_PROGRAM,
	ARG_SSH_CONFIG,
	ARG_SSH_HOST,
	ARG_DB_HOST,
	ARG_DB_PORT,
	ARG_DB_NAME,
	ARG_DB_USER,
	ARG_THEIR_HOST,
	ARG_THEIR_PORT,
	ARGS
};

struct bench {
	char **argv;
	struct loop *loop;
	struct transport *transport;
	struct ssh_tunnel *tunnel;
	PGconn *conns[SIDES];
	struct samples copy[SIDES]; /* MB/s */
	struct samples copy_ratio;  /* ours to theirs, of each round */
	struct samples ping[SIDES]; /* ms */
	bool failed;
};

/* --- the client ------------------------------------------------------------------------------- */

static bool client_fail(const PGconn *conn, const char *what)
{
	fprintf(stderr, "bench: %s: %s", what, PQerrorMessage(conn));
	return false;
}

static bool client_connect(struct bench *bench, int side, const char *host, const char *port)
{
	const char *const keys[] = { "host", "port", "dbname", "user", "connect_timeout", "sslmode",
		NULL };
	const char *const values[] = { host, port, bench->argv[ARG_DB_NAME],
		bench->argv[ARG_DB_USER], "10", "disable", NULL };

	bench->conns[side] = PQconnectdbParams(keys, values, 0);
	return PQstatus(bench->conns[side]) == CONNECTION_OK ||
	       client_fail(bench->conns[side], side == OURS ? "our tunnel" : "ssh -L");
}

/* The rest of a COPY; its length, or -1. */
static long long client_drain(PGconn *conn)
{
	long long total = 0;
	char *row;
	int n;

	while ((n = PQgetCopyData(conn, &row, 0)) > 0) {
		total += n;
		PQfreemem(row);
	}
	return n == -1 ? total : -1;
}

static bool client_copy(PGconn *conn, struct samples *rates)
{
	char sql[128];
	int64_t start = clock_monotonic();
	bool good;

	snprintf(sql, sizeof(sql),
		"COPY (SELECT repeat('x', 1000) FROM generate_series(1, %d)) TO STDOUT", COPY_ROWS);
	PQclear(PQexec(conn, sql));
	good = client_drain(conn) == COPY_BYTES;
	samples_add(rates, COPY_BYTES / 1e3 / ms_since(start));
	PQclear(PQgetResult(conn));
	PQclear(PQgetResult(conn));
	return good || client_fail(conn, "COPY came short");
}

static bool client_ping(PGconn *conn, struct samples *times)
{
	PGresult *result;
	int64_t start;
	bool good = true;
	int i;

	for (i = 0; i < PING_WARM + PING_BLOCK && good; i++) {
		start = clock_monotonic();
		result = PQexec(conn, "SELECT 1");
		if (i >= PING_WARM)
			samples_add(times, ms_since(start));
		good = PQresultStatus(result) == PGRES_TUPLES_OK;
		PQclear(result);
	}
	return good || client_fail(conn, "SELECT 1");
}

/* --- taking turns ----------------------------------------------------------------------------- */

static bool bench_measure(struct bench *bench)
{
	struct samples warm = { .n = 0 };
	char port[16];
	int i, side, turn;

	snprintf(port, sizeof(port), "%d", tunnel_port(bench->tunnel));
	if (!client_connect(bench, OURS, tunnel_address(bench->tunnel), port) ||
		!client_connect(
			bench, THEIRS, bench->argv[ARG_THEIR_HOST], bench->argv[ARG_THEIR_PORT]))
		return false;
	/* Who begins changes with every round. */
	for (i = 0; i < PING_BLOCKS; i++) {
		for (turn = 0; turn < SIDES; turn++) {
			side = (i + turn) % SIDES;
			if (!client_ping(bench->conns[side], &bench->ping[side]))
				return false;
		}
	}
	for (side = 0; side < SIDES; side++)
		if (!client_copy(bench->conns[side], &warm))
			return false;
	for (i = 0; i < COPY_ROUNDS; i++) {
		for (turn = 0; turn < SIDES; turn++) {
			side = (i + turn) % SIDES;
			if (!client_copy(bench->conns[side], &bench->copy[side]))
				return false;
		}
		samples_add(&bench->copy_ratio,
			bench->copy[OURS].values[i] / bench->copy[THEIRS].values[i]);
	}
	return true;
}

static void bench_work(void *arg)
{
	struct bench *bench = arg;
	int side;

	bench->failed = !bench_measure(bench);
	for (side = 0; side < SIDES; side++)
		PQfinish(bench->conns[side]);
}

static void bench_on_done(void *arg)
{
	struct bench *bench = arg;

	loop_stop(bench->loop);
}

/* --- our tunnel ------------------------------------------------------------------------------- */

static bool bench_lets_in(void *arg, int peer_port)
{
	(void)arg;
	(void)peer_port;
	return true;
}

static void bench_fail(struct bench *bench, const struct err *why)
{
	fprintf(stderr, "bench: %s\n", why->text);
	bench->failed = true;
	loop_stop(bench->loop);
}

static void bench_on_up(void *arg)
{
	struct bench *bench = arg;
	struct err err;

	bench->tunnel = tunnel_open(bench->loop, bench->transport, bench->argv[ARG_DB_HOST],
		atoi(bench->argv[ARG_DB_PORT]), bench_lets_in, bench, &err);
	if (bench->tunnel)
		loop_work(bench->loop, bench_work, bench_on_done, bench);
	else
		bench_fail(bench, &err);
}

static void bench_on_down(void *arg, const struct err *why)
{
	bench_fail(arg, why);
}

static void bench_on_step(void *arg, enum transport_step step, const char *detail)
{
	(void)arg;
	(void)step;
	(void)detail;
}

static int bench_run(struct bench *bench)
{
	struct ssh_options options = {
		.destination = bench->argv[ARG_SSH_HOST],
		.config_file = bench->argv[ARG_SSH_CONFIG],
	};
	struct transport_events events = { bench_on_step, bench_on_up, bench_on_down, bench };
	struct ssh_thread *thread;
	struct err err;

	if (ssh_thread_new(&thread, &err) < 0) {
		fprintf(stderr, "bench: %s\n", err.text);
		return -1;
	}
	bench->loop = loop_new();
	bench->transport = ssh_transport_open(thread, bench->loop, &options, &events);
	loop_run(bench->loop);
	tunnel_close(bench->tunnel);
	bench->transport->ops->close(bench->transport);
	ssh_thread_free(thread);
	loop_free(bench->loop);
	return bench->failed ? -1 : 0;
}

int main(int argc, char **argv)
{
	static struct bench bench;

	if (argc != ARGS) {
		fprintf(stderr,
			"usage: %s SSH_CONFIG SSH_HOST DB_HOST DB_PORT DB_NAME DB_USER "
			"THEIR_HOST THEIR_PORT\n",
			argv[ARG_PROGRAM]);
		return 2;
	}
	bench.argv = argv;
	if (bench_run(&bench) < 0)
		return 1;
	printf("throughput %.1f %.1f %.3f\n", samples_median(&bench.copy[OURS]),
		samples_median(&bench.copy[THEIRS]), samples_median(&bench.copy_ratio));
	printf("roundtrip %.4f %.4f\n", samples_median(&bench.ping[OURS]),
		samples_median(&bench.ping[THEIRS]));
	return 0;
}

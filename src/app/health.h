/*
 * The part of the health check that is asked outside of the database: the health URL, from here or
 * from the host; whether the colours' images and the checkout end with
 * the same revisions. All asked at once, each with its own limit.
 */
#ifndef PGONCALL_APP_HEALTH_H
#define PGONCALL_APP_HEALTH_H

#include <pgoncall/app/output.h>
#include <pgoncall/app/target.h>

enum health_part {
	HEALTH_URL = 1 << 0,
	HEALTH_COLOURS = 1 << 1,
	HEALTH_GIT = 1 << 2,
	HEALTH_ALL = 7
};

struct health;

/* Once, from the loop: a line for each part that is configured. The handle is freed after it. */
typedef void (*health_done)(void *arg, const struct check_report *report);

struct health *health_start(
	struct loop *loop, struct target *target, unsigned parts, health_done done, void *arg);
/* What it means that a part's command failed so: critical is only what curl itself says of the URL;
 * where it could not be asked (no curl, the link lost, too late), nothing is known. */
enum check_status health_failed_status(enum health_part part, int status, const struct err *err);
/* The finding that the application is not well; detail: of the line that is critical. */
void health_add_failed(struct findings *findings, const char *detail);
/* NULL is allowed. */
void health_cancel(struct health *health);

#endif

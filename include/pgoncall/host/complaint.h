/*
 * What a container runtime, or the sudo or shell before it, says when it cannot do as told, as one
 * sentence with its remedy. Pure.
 */
#ifndef PGONCALL_HOST_COMPLAINT_H
#define PGONCALL_HOST_COMPLAINT_H

#include <pgoncall/host/run.h>
#include <pgoncall/host/runtime.h>

/* 0 when the command that concerned this container ended well; else -1 with the sentence, and
 * ERR_REFUSED where the host denied it, so that asking again does not help. `host` is
 * what the configuration calls the host. */
int host_complaint_check(const struct host_runtime *runtime, const char *container,
	const char *host, const struct host_output *output, const struct err *run_err,
	struct err *err);

#endif

/*
 * A network of its own for the program under test: a namespace with one cable, at whose other end an
 * SSH server listens that is set up like the range's. The cable can be pulled. Needs root.
 */
#ifndef PGONCALL_TESTS_PTY_NETNS_H
#define PGONCALL_TESTS_PTY_NETNS_H

#include <stdbool.h>

#include <pgoncall/base/err.h>

#include "range.h"

struct netns;

/* The SSH server's files are made in the directory `home`. NULL where there is none to be had. */
struct netns *netns_new(struct range *r, const char *home, struct err *err);
/* Takes away namespace, cable and server. NULL is allowed. */
void netns_free(struct netns *ns);

/* What "ip netns exec NAME" calls it. */
const char *netns_name(const struct netns *ns);
/* pgoncall's configuration, with the range's servers at the other end of the cable. */
const char *netns_config(const struct netns *ns);
/* Pulls the cable, or puts it in again. */
int netns_plug(struct netns *ns, bool in, struct err *err);

#endif

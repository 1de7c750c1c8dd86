/*
 * SGR (ECMA-48 8.3.117, and the 256 and direct colours of ISO 8613-6 as xterm takes them) onto
 * attributes: colours become the nearest of sixteen.
 */
#ifndef PGONCALL_LOGS_SGR_H
#define PGONCALL_LOGS_SGR_H

#include <stddef.h>

#include <pgoncall/logs/sanitise.h>

/* params: the bytes between "ESC [" and "m". What is not understood changes nothing. */
void log_sgr_apply(struct log_attr *attr, const char *params, size_t len);

#endif

/*
 * Command lines for a POSIX shell, built one word at a time, so that a value never becomes shell
 * text. Words hold no NUL (they are C strings); every other byte, line feeds too, arrives as it is.
 */
#ifndef PGONCALL_HOST_QUOTE_H
#define PGONCALL_HOST_QUOTE_H

#include <pgoncall/base/buf.h>
#include <pgoncall/base/str.h>

/* Appends word so that the shell reads exactly that word: bare where that is safe in any position,
 * else in single quotes. */
void host_quote_word(struct buf *out, const char *word);

/* As host_quote_word, after a space where something stands before. */
void host_command_add(struct buf *out, const char *word);
void host_command_add_list(struct buf *out, const struct strlist *words);
/* Splits the operator's own setting (e.g. "sudo docker") at white space and adds each word
 * quoted. */
void host_command_add_setting(struct buf *out, const char *setting);
/* argv ends with NULL. */
void host_command_add_argv(struct buf *out, const char *const argv[]);

#endif

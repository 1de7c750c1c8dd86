/*
 * Shared libraries that are loaded when they are first needed. Most runs read no archive and ask no
 * URL, and libarchive and libcurl bring a dozen libraries of their own: a third of the time until the
 * program's first line, and of its memory. Types and prototypes are those of the library's own headers.
 *
 * A library is a list of its functions, for use with the macros below:
 *	#define TAR_CALLS(X) X(archive_read_new) X(archive_read_free)
 *	struct tar_calls { TAR_CALLS(LIBRARY_FIELD) };
 *	static const char *const names[] = { TAR_CALLS(LIBRARY_NAME) };
 */
#ifndef HOST_LIBRARY_H
#define HOST_LIBRARY_H

#include <stddef.h>

#include <pgoncall/base/err.h>

#define LIBRARY_FIELD(name) __typeof__(&name) name;
#define LIBRARY_NAME(name)  #name,

/* Fills calls, an array of n function pointers, with the functions of these names. soname: as the
 * dynamic linker knows it. It is loaded once and stays; any thread may call this. */
int library_load(
	const char *soname, const char *const *names, size_t n, void *calls, struct err *err);

#endif

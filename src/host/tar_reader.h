/*
 * What tar_feed.c needs of tar.c: reading a part of an archive.
 */
#ifndef HOST_TAR_READER_H
#define HOST_TAR_READER_H

#include <pgoncall/host/tar.h>

/* As host_tar_read. *bare: whether it is known that entries share no directory, and then whether that
 * shows; *lost_link: whether a hard link leads to an entry that is not in this part. */
int host_tar_read_part(const void *bytes, size_t len, const char *what, host_tar_want want,
	void *arg, bool *bare, bool *lost_link, struct host_tar *tar, struct err *err);

#endif

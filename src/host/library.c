/*
 * Libraries on demand, by dlopen; see the header.
 */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

int library_load(
	const char *soname, const char *const *names, size_t n, void *calls, struct err *err)
{
	/* It is never unloaded, so the handle can be given back. */
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE), *call;
	size_t i;

	for (i = 0; handle && i < n; i++) {
		call = dlsym(handle, names[i]);
		if (!call)
			break;
		memcpy((char *)calls + i * sizeof(call), &call, sizeof(call));
	}
	if (!handle || i < n) {
		err_set(err, ERR_SYSTEM, "%s cannot be used: %s; install its package", soname,
			dlerror());
		if (handle)
			dlclose(handle);
		return -1;
	}
	dlclose(handle);
	return 0;
}

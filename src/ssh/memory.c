/*
 * The allocator that libssh2 is given. Owns nothing but the reading of what passes by.
 */
#include <pgoncall/ssh/memory.h>

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ssh/wire.h>

#define MEMORY_USERAUTH_FAILURE 51 /* RFC 4252 section 6 */

void *memory_alloc(size_t size, void **abstract)
{
	(void)abstract;
	return malloc(size);
}

/* Names of methods as RFC 4250 section 4.6.1 has them. */
static bool memory_is_name_list(const unsigned char *list, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (list[i] <= ' ' || list[i] >= 127)
			return false;
	return true;
}

void memory_read_refusal(struct ssh_memory *memory, const void *bytes, size_t len)
{
	struct wire wire = wire_from(bytes, len);
	const unsigned char *list;
	uint8_t partial;
	size_t n;

	if (wire_u8(&wire) != MEMORY_USERAUTH_FAILURE)
		return;
	list = wire_string(&wire, &n);
	partial = wire_u8(&wire);
	if (wire.bad || partial > 1 || n >= sizeof(memory->methods) ||
		!memory_is_name_list(list, n))
		return;
	memcpy(memory->methods, list, n);
	memory->methods[n] = '\0';
	memory->partial = partial == 1;
	memory->refused = true;
}

void memory_free(void *bytes, void **abstract)
{
	struct ssh_memory *memory = *abstract;
	size_t size;

	if (bytes && memory && memory->guarded) {
		size = malloc_usable_size(bytes);
		memory_read_refusal(memory, bytes, size);
		mem_wipe(bytes, size);
	}
	free(bytes);
}

void *memory_realloc(void *bytes, size_t size, void **abstract)
{
	struct ssh_memory *memory = *abstract;
	size_t before;
	void *new;

	if (!bytes || !memory || !memory->guarded)
		return realloc(bytes, size);
	before = malloc_usable_size(bytes);
	new = malloc(size);
	if (!new)
		return NULL;
	memcpy(new, bytes, before < size ? before : size);
	memory_free(bytes, abstract);
	return new;
}

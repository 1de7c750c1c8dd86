/*
 * Prints the key section of the manual from the binding table, of the keys this program offers. The
 * lint compares it with man/pgoncall.1.
 */
#include <stdio.h>

#include <pgoncall/app/keys.h>

int main(void)
{
	struct key_set keys;

	app_keys_init(&keys);
	keys_print_mdoc(stdout, &keys);
	return 0;
}

/*
 * The keys this program offers: what the console does by itself and what the program does for it.
 */
#ifndef PGONCALL_APP_KEYS_H
#define PGONCALL_APP_KEYS_H

#include <pgoncall/ui/keys.h>

void app_keys_init(struct key_set *keys);

#endif

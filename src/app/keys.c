/*
 * Which commands of the binding table the program carries out. To offer one more, add it here and
 * handle its intent in console_loop.c.
 */
#include <pgoncall/app/keys.h>

static const enum key_command app_can[] = { CMD_REFRESH, CMD_PAUSE, CMD_PAST_OLDER, CMD_PAST_NEWER,
	CMD_TARGET, CMD_COPY, CMD_WRITE, CMD_THEME, CMD_REDRAW, CMD_SUSPEND, CMD_QUIT,
	CMD_CANCEL_QUERY, CMD_TERMINATE, CMD_NEXT_SOURCE, CMD_PREVIOUS_SOURCE, CMD_INTERRUPT,
	CMD_PROMPT, CMD_RUNBOOKS, CMD_OPEN_RUNBOOK, CMD_SQL_UPGRADE, CMD_SQL_DOWNGRADE, CMD_STEP_GO,
	CMD_STEP_DONE, CMD_STEP_NOT_DONE, CMD_STEP_SKIP, CMD_STEP_AGAIN, CMD_STEP_STOP,
	CMD_RUNBOOK_LINK, CMD_RUNBOOK_CLOSE };

void app_keys_init(struct key_set *keys)
{
	size_t i;

	keys_set_init(keys);
	for (i = 0; i < sizeof(app_can) / sizeof(app_can[0]); i++)
		keys->on[app_can[i]] = true;
}

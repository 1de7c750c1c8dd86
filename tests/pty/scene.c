/*
 * Owns nothing; see the header.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>

#include "daemon.h"
#include "play.h"

void scene_do(struct fixture *f, const char *script)
{
	free(play_shell(f, script));
}

void scene_do_in_app(struct fixture *f, const char *script)
{
	char *command = mem_printf("$RUNTIME_COMMAND exec $APP_CONTAINER sh -c '%s'", script);

	scene_do(f, command);
	free(command);
}

void scene_sql(struct fixture *f, const char *sql)
{
	struct err err = { 0 };
	char *rows = range_psql(f->range, sql, &err);

	fixture_check(rows ? 0 : -1, &err);
	free(rows);
}

int scene_session(struct fixture *f, const char *condition)
{
	char *sql = mem_printf("SELECT pid FROM pg_stat_activity WHERE %s", condition);
	int pid = fixture_number(f, sql);

	free(sql);
	assert_true(pid > 0);
	return pid;
}

struct pty *scene_console_of(struct fixture *f, const char *key, const char *line)
{
	char *config = fixture_vary(f, "RANGE_CONFIG", "config", key, line);
	struct pty *p = play_console(f, config);

	play_arm(p);
	free(config);
	return p;
}

/* --- a URL ------------------------------------------------------------------------------------ */

int scene_serve(struct fixture *f, const char *answers, pid_t *pid)
{
	static const char program[] =
		"import http.server, sys\n"
		"class H(http.server.BaseHTTPRequestHandler):\n"
		"    def do_GET(self):\n"
		"        answers = open(sys.argv[1] + '/answers').read().split()\n"
		"        self.send_response(int(answers[0 if self.path == '/' else -1]))\n"
		"        if self.path == '/' and len(answers) > 1:\n"
		"            self.send_header('Location', '/there')\n"
		"        self.end_headers()\n"
		"s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
		"open(sys.argv[1] + '/port', 'w').write(str(s.server_port) + '\\n')\n"
		"s.serve_forever()\n";
	char *log = mem_printf("%s/server.log", f->home);
	const char *argv[] = { "python3", "-c", program, f->home, NULL };
	char *wait = mem_printf("for i in $(seq 200); do [ -s %s/port ] && break; sleep 0.05; done;"
				" cat %s/port",
		f->home, f->home);
	char *text;
	struct err err = { 0 };
	int number;

	scene_answer(f, answers);
	*pid = daemon_start(argv, -1, log, &err);
	fixture_check(*pid > 0 ? 0 : -1, &err);
	text = play_shell(f, wait);
	number = atoi(text);
	assert_true(number > 0);
	free(text);
	free(wait);
	free(log);
	return number;
}

void scene_answer(struct fixture *f, const char *answers)
{
	free(fixture_write(f, "answers", answers));
}

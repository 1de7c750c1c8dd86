/*
 * Asking a URL: a small server in a child answers for real.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/http.h>

struct answer {
	struct loop *loop;
	bool came;
	long status;
	double seconds;
	struct err err;
};

static void on_answer(void *arg, long status, double seconds, const struct err *err)
{
	struct answer *answer = arg;

	answer->came = true;
	answer->status = status;
	answer->seconds = seconds;
	answer->err = *err;
	loop_stop(answer->loop);
}

/* Answers every connection with this text (NULL: with nothing, and keeps it open). */
static pid_t serve(const char *text, int *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	char request[4096];
	pid_t pid;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		while ((fd = accept(listener, NULL, NULL)) >= 0) {
			if (text && read(fd, request, sizeof(request)) > 0 &&
				write(fd, text, strlen(text)) >= 0)
				close(fd);
		}
		_exit(0);
	}
	close(listener);
	return pid;
}

static void ask(const char *url, int64_t timeout_ms, struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->loop = loop_new();
	host_http_get(answer->loop, url, timeout_ms, on_answer, answer);
	loop_run(answer->loop);
	loop_free(answer->loop);
	assert_true(answer->came);
}

static void ask_server(const char *text, int64_t timeout_ms, struct answer *answer)
{
	int port;
	pid_t pid = serve(text, &port);
	char *url = mem_printf("http://127.0.0.1:%d/api/health/db", port);

	ask(url, timeout_ms, answer);
	free(url);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void http_tells_the_status(void **state)
{
	struct answer answer;

	(void)state;
	ask_server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 5000, &answer);
	assert_int_equal(answer.err.code, ERR_OK);
	assert_int_equal(answer.status, 200);
	assert_true(answer.seconds >= 0 && answer.seconds < 5);
	ask_server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 5000, &answer);
	assert_int_equal(answer.err.code, ERR_OK);
	assert_int_equal(answer.status, 503);
}

static void http_says_why_there_is_no_answer(void **state)
{
	struct answer answer;

	(void)state;
	ask("http://127.0.0.1:1/", 5000, &answer);
	assert_int_equal(answer.err.code, ERR_CONNECT);
	assert_non_null(strstr(answer.err.text, "127.0.0.1"));
	ask_server(NULL, 200, &answer);
	assert_int_equal(answer.err.code, ERR_TIMEOUT);
}

static void http_reads_no_files(void **state)
{
	struct answer answer;

	(void)state;
	ask("file:///etc/passwd", 5000, &answer);
	assert_int_equal(answer.err.code, ERR_CONNECT);
}

static void http_is_cancelled(void **state)
{
	struct answer answer = { 0 };
	struct host_http *http;
	int port;
	pid_t pid = serve(NULL, &port);
	char *url = mem_printf("http://127.0.0.1:%d/", port);

	(void)state;
	answer.loop = loop_new();
	http = host_http_get(answer.loop, url, 200, on_answer, &answer);
	host_http_cancel(http);
	loop_free(answer.loop);
	assert_false(answer.came);
	free(url);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_tells_the_status),
		cmocka_unit_test(http_says_why_there_is_no_answer),
		cmocka_unit_test(http_reads_no_files),
		cmocka_unit_test(http_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

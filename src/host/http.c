/*
 * One request in a worker; the only <curl/curl.h>. The struct is the worker's until it is done, and
 * frees itself then.
 */
#include <pgoncall/host/http.h>

#include <stdlib.h>

#include <curl/curl.h>

#include <pgoncall/base/mem.h>

#define HTTP_REDIRECTS 5L
#define HTTP_BODY_MAX  (1u << 20) /* more than that is no answer of a health check */

struct host_http {
	char *url;
	long timeout_ms;
	host_http_cb cb; /* NULL: cancelled */
	void *arg;
	size_t body;
	long status;
	double seconds;
	struct err err;
};

static size_t http_on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct host_http *http = arg;

	(void)bytes;
	http->body += size * n;
	return http->body > HTTP_BODY_MAX ? 0 : size * n;
}

static void http_set_up(struct host_http *http, CURL *curl, char *why)
{
	curl_easy_setopt(curl, CURLOPT_URL, http->url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, http->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, HTTP_REDIRECTS);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "pgoncall");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
}

static void http_work(void *arg)
{
	struct host_http *http = arg;
	char why[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	CURLcode code;

	if (!curl) {
		err_set(&http->err, ERR_SYSTEM, "libcurl cannot be used");
		return;
	}
	http_set_up(http, curl, why);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http->status);
	curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &http->seconds);
	if (code != CURLE_OK)
		err_set(&http->err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_CONNECT,
			"%s", *why ? why : curl_easy_strerror(code));
	curl_easy_cleanup(curl);
}

static void http_done(void *arg)
{
	struct host_http *http = arg;

	if (http->cb)
		http->cb(http->arg, http->status, http->seconds, &http->err);
	free(http->url);
	free(http);
}

struct host_http *host_http_get(
	struct loop *loop, const char *url, int64_t timeout_ms, host_http_cb cb, void *arg)
{
	struct host_http *http = mem_calloc(1, sizeof(*http));

	/* Counts; the first call sets up what all threads use. */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->url = mem_strdup(url);
	http->timeout_ms = (long)timeout_ms;
	http->cb = cb;
	http->arg = arg;
	loop_work(loop, http_work, http_done, http);
	return http;
}

void host_http_cancel(struct host_http *http)
{
	if (http)
		http->cb = NULL;
}

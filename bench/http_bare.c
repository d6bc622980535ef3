/*
 * The limit of ingress: our HTTP server answering at once, with nothing behind it.
 *
 *	bench_http_bare [PORT] [SECONDS]        then: wrk -t1 -c64 -d5s -s post.lua
 *http://127.0.0.1:PORT/
 *
 * POST / answers 200 with the JSON that an ingress answer has; GET / too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/http/http.h"

static void answer(struct dal_http_request *request, void *data)
{
	static const char body[] = "{\"positions\":[\"orders/0/17\"]}\n";

	(void)data;
	dal_http_reply(request, 200, "application/json", NULL, dal_slice(body, sizeof(body) - 1));
}

int main(int argc, char **argv)
{
	static const struct dal_http_route routes[] = {
		{"POST", "/", DAL_HTTP_INGEST, 1 << 20, answer, NULL},
		{"GET", "/", DAL_HTTP_QUERY, 0, answer, NULL},
	};
	char listen[64];
	struct dal_http_options options = {.listen = listen, .descriptor = -1};
	struct dal_http_server *server = NULL;
	struct dal_error error;

	snprintf(listen, sizeof(listen), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
	if (dal_http_server_new(&options, &server, &error) != 0 ||
	    dal_http_server_add(server, routes, 2, NULL, &error) != 0 ||
	    dal_http_server_start(server, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		dal_http_server_free(server);
		return 3;
	}
	printf("listening on 127.0.0.1:%d\n", dal_http_server_port(server));
	fflush(stdout);
	sleep(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 60);
	dal_http_server_stop(server, 1000);
	dal_http_server_free(server);
	return 0;
}

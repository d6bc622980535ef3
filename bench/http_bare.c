/*
 * The limit of ingress: our HTTP server answering with nothing behind it.
 *
 *	bench_http_bare [PORT [SECONDS [later]]]
 *	wrk -t1 -c64 -d5s -s post.lua http://127.0.0.1:PORT/
 *
 * GET /, POST / and POST /v1/events answer 200 with the JSON that an ingress answer has: at once,
 * or, with "later", from another thread and in bursts, as the log's writer answers after its fsync
 * (without the fsync).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/queue.h"
#include "engine/http/http.h"

static void answer(struct dal_http_request *request, void *data)
{
	static const char body[] = "{\"positions\":[\"orders/0/17\"]}\n";

	(void)data;
	dal_http_reply(request, 200, "application/json", NULL, dal_slice(body, sizeof(body) - 1));
}

static void hand_over(struct dal_http_request *request, void *data)
{
	if (dal_queue_push(data, request) != 0) {
		dal_http_problem(request, 503, "the queue is full");
	}
}

static void *answer_later(void *data)
{
	void *item;

	for (;;) {
		if (dal_queue_pop(data, -1, &item) == 0) {
			answer(item, NULL);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	bool later = argc > 3 && strcmp(argv[3], "later") == 0;
	dal_http_handler *handler = later ? hand_over : answer;
	const struct dal_http_route routes[] = {
		{"POST", "/", DAL_HTTP_INGEST, 1 << 20, handler, NULL},
		{"POST", "/v1/events", DAL_HTTP_INGEST, 1 << 20, handler, NULL},
		{"GET", "/", DAL_HTTP_QUERY, 0, handler, NULL},
	};
	char listen[64];
	struct dal_http_options options = {.listen = listen, .descriptor = -1};
	struct dal_http_server *server = NULL;
	struct dal_queue *queue = dal_queue_new(4096);
	struct dal_error error;
	pthread_t thread;

	snprintf(listen, sizeof(listen), "127.0.0.1:%s", argc > 1 ? argv[1] : "0");
	if (dal_http_server_new(&options, &server, &error) != 0 ||
	    dal_http_server_add(server, routes, 3, queue, &error) != 0 ||
	    dal_http_server_start(server, &error) != 0 ||
	    pthread_create(&thread, NULL, answer_later, queue) != 0) {
		fprintf(stderr, "%s\n", error.text);
		return 3;
	}
	printf("listening on 127.0.0.1:%d\n", dal_http_server_port(server));
	fflush(stdout);
	sleep(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 60);
	dal_http_server_stop(server, 1000);
	dal_http_server_free(server);
	return 0;
}

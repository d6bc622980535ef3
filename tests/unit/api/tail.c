#include "tests/unit/api/tail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/memory.h"

struct tail {
	char *base, *target, *id;
	pthread_t thread;
	atomic_uint events; /* blocks so far */
	unsigned wanted;    /* then it hangs up */
	uint64_t patience_ms;
	struct dal_buffer got;
};

static int on_piece(struct dal_slice piece, void *own)
{
	struct tail *tail = own;
	size_t count = 0;

	dal_buffer_slice_append(&tail->got, piece);
	for (const char *at = dal_buffer_cstr(&tail->got); (at = strstr(at, "\n\n")) != NULL;
	     at += 2) {
		count++;
	}
	atomic_store(&tail->events, (unsigned)count);
	return count >= tail->wanted;
}

static void *tail_run(void *own)
{
	struct tail *tail = own;
	struct dal_http_header_line headers[] = {
		{"Accept", "text/event-stream"},
		{tail->id ? "Last-Event-ID" : NULL, tail->id},
		{NULL, NULL},
	};
	struct dal_http_client *client;
	struct dal_http_answer answer = {0};
	struct dal_error error;

	if (dal_http_client_new(&(struct dal_http_client_options){.base = tail->base,
								  .timeout_ms = tail->patience_ms},
				&client, &error) != 0) {
		return tail;
	}
	dal_http_client_ask(client,
			    &(struct dal_http_ask){.method = "GET",
						   .target = tail->target,
						   .headers = headers,
						   .write = on_piece,
						   .own = tail},
			    &answer, &error);
	dal_http_answer_deinit(&answer);
	dal_http_client_free(client);
	return NULL;
}

struct tail *tail_start(const char *target, const char *id, unsigned wanted, uint64_t patience_ms)
{
	struct tail *tail = dal_calloc(1, sizeof(*tail));

	tail->base = harness_base();
	tail->target = dal_strdup(target);
	tail->id = dal_strdup(id);
	tail->wanted = wanted;
	tail->patience_ms = patience_ms;
	assert_int_equal(pthread_create(&tail->thread, NULL, tail_run, tail), 0);
	return tail;
}

void tail_wait(struct tail *tail, unsigned events)
{
	for (int i = 0; atomic_load(&tail->events) < events; i++) {
		assert_true(i < 10000);
		usleep(1000);
	}
}

void tail_join(struct tail *tail)
{
	void *result;

	pthread_join(tail->thread, &result);
	assert_null(result);
}

void tail_free(struct tail *tail)
{
	dal_buffer_deinit(&tail->got);
	free(tail->base);
	free(tail->target);
	free(tail->id);
	free(tail);
}

/* It hung up in the middle of that. */
static void last_block_drop(struct dal_buffer *got)
{
	while (got->size >= 2 && memcmp(got->data + got->size - 2, "\n\n", 2) != 0) {
		got->size--;
	}
	dal_buffer_cstr(got);
}

char *tail_end(struct tail *tail, struct dal_buffer *positions)
{
	char *block, *save = NULL, *id = NULL;

	tail_join(tail);
	last_block_drop(&tail->got);
	for (block = strtok_r(tail->got.data, "\n", &save); block;
	     block = strtok_r(NULL, "\n", &save)) {
		if (strncmp(block, "id: ", 4) == 0) {
			free(id);
			id = dal_strdup(block + 4);
		}
		if (strncmp(block, "data: {\"position\":\"", 19) == 0) {
			assert_int_equal(block[strlen(block) - 1], '}');
			dal_buffer_append(positions, block + 19, strcspn(block + 19, "\""));
			dal_buffer_byte(positions, ' ');
		}
	}
	tail_free(tail);
	return id;
}

size_t tail_count(const struct tail *tail, const char *text)
{
	size_t count = 0;

	for (const char *at = tail->got.data; (at = strstr(at, text)) != NULL; at++) {
		count++;
	}
	return count;
}

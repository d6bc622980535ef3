/* dalamb dead: calls that failed for good: listed, sent again, dropped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/map.h"
#include "engine/cli/print.h"
#include "engine/cli/remote.h"
#include "engine/event/json_write.h"

struct dead {
	const struct dal_command *command;
	struct dal_remote remote;
	const char *function;
	bool json;
	struct dal_json *reader;
	int64_t total; /* before anything is sent again: what dies once more is not asked for again
			*/
};

/* --- pages --- */

/* Calls `each` for every row, page by page. */
static int walk(struct dead *d, void (*each)(struct dead *d, uint32_t row, void *own), void *own)
{
	struct dal_buffer target = {0}, cursor = {0};
	struct dal_http_answer answer;
	uint32_t list;
	int status;

	do {
		dal_buffer_clear(&target);
		dal_buffer_text(&target, "/v1/dead?limit=1000");
		dal_target_add(&target, "function", d->function);
		dal_target_add(&target, "cursor",
			       cursor.size > 0 ? dal_buffer_cstr(&cursor) : NULL);
		status = dal_remote_get(&d->remote, dal_buffer_cstr(&target), &answer);
		if (status != DAL_EXIT_DONE) {
			break;
		}
		dal_buffer_clear(&cursor);
		if (dal_json_parse(d->reader, dal_buffer_slice(&answer.body), DAL_JSON_TRUSTED,
				   NULL) == 0) {
			list = dal_json_find(d->reader, DAL_JSON_ROOT, dal_slice_text("dead"));
			for (uint32_t i = 0, node = list + 1;
			     list != DAL_JSON_NONE && i < dal_json_count(d->reader, list); i++) {
				each(d, node, own);
				node = dal_json_next(d->reader, node);
			}
			dal_buffer_slice_append(&cursor, dal_member_text(d->reader, DAL_JSON_ROOT,
									 "cursor"));
		} else {
			status = dal_fail(d->remote.command, DAL_EXIT_UNREACHABLE,
					  "the answer is no JSON");
		}
		dal_http_answer_deinit(&answer);
	} while (cursor.size > 0);
	dal_buffer_deinit(&target);
	dal_buffer_deinit(&cursor);
	return status;
}

/* --- list --- */

static void labelled(struct dead *d, uint32_t row, const char *label, const char *key)
{
	struct dal_slice text = dal_member_text(d->reader, row, key);

	if (text.size > 0) {
		fputs(label, stdout);
		dal_print(stdout, text);
	}
}

static void print_row(struct dead *d, uint32_t row, void *own)
{
	struct dal_slice raw = dal_json_raw(d->reader, row);
	uint32_t error = dal_json_find(d->reader, row, dal_slice_text("error"));

	*(size_t *)own += 1;
	if (d->json) {
		fwrite(raw.data, 1, raw.size, stdout);
		fputc('\n', stdout);
		return;
	}
	dal_print(stdout, dal_member_text(d->reader, row, "row"));
	labelled(d, row, "\n  died ", "died");
	labelled(d, row, ", function ", "function");
	labelled(d, row, ", cause ", "cause");
	labelled(d, row, ", subject ", "subject");
	labelled(d, row, "\n  ", "reason");
	if (error != DAL_JSON_NONE) {
		labelled(d, error, ": ", "type");
		labelled(d, error, ": ", "message");
	}
	printf("\n");
}

static int list(struct dead *d)
{
	size_t count = 0;
	int status = walk(d, print_row, &count);

	if (status == DAL_EXIT_DONE && !d->json) {
		printf("%zu dead letter%s%s\n", count, count == 1 ? "" : "s",
		       count > 0 ? "; `dalamb dead retry --all` sends them again" : "");
	}
	return status;
}

/* --- retry and drop --- */

static void question(struct dal_buffer *out, const char *function, char **rows, int count)
{
	struct dal_json_writer w = {.out = out};

	dal_json_begin_object(&w);
	dal_json_key(&w, function ? "function" : "rows");
	if (function) {
		dal_json_put_text(&w, function);
	} else {
		dal_json_begin_array(&w);
		for (int i = 0; i < count; i++) {
			dal_json_put_text(&w, rows[i]);
		}
		dal_json_end_array(&w);
	}
	dal_json_end_object(&w);
}

static void print_unknown(struct dead *d)
{
	uint32_t list = dal_json_find(d->reader, DAL_JSON_ROOT, dal_slice_text("unknown"));

	for (uint32_t i = 0; list != DAL_JSON_NONE && i < dal_json_count(d->reader, list); i++) {
		fprintf(stderr, "no dead letter: ");
		dal_print(stderr, dal_json_string(d->reader, dal_json_at(d->reader, list, i)));
		fputc('\n', stderr);
	}
}

/* One request; adds to *done, *more if the function has further ones. */
static int settle_some(struct dead *d, const char *verb, const struct dal_buffer *body,
		       int64_t *done, bool *more)
{
	const char *member = strcmp(verb, "retry") == 0 ? "retried" : "dropped";
	struct dal_http_answer answer;
	struct dal_buffer target = {0};
	int status;

	dal_buffer_printf(&target, "/v1/dead/%s", verb);
	status = dal_remote_post(&d->remote, dal_buffer_cstr(&target), dal_buffer_slice(body),
				 &answer);
	dal_buffer_deinit(&target);
	if (status != DAL_EXIT_DONE) {
		return status;
	}
	*more = false;
	if (dal_json_parse(d->reader, dal_buffer_slice(&answer.body), DAL_JSON_TRUSTED, NULL) ==
	    0) {
		*done += dal_member_integer(d->reader, DAL_JSON_ROOT, member);
		*more = dal_member_true(d->reader, DAL_JSON_ROOT, "more");
		print_unknown(d);
		if (dal_json_find(d->reader, DAL_JSON_ROOT, dal_slice_text("unknown")) !=
		    DAL_JSON_NONE) {
			status = DAL_EXIT_NO;
		}
	}
	dal_http_answer_deinit(&answer);
	return status;
}

static int settle_function(struct dead *d, const char *verb, const char *function, int64_t *done)
{
	struct dal_buffer body = {0};
	bool more = false;
	int status;

	question(&body, function, NULL, 0);
	do {
		status = settle_some(d, verb, &body, done, &more);
	} while (status == DAL_EXIT_DONE && more && *done < d->total);
	dal_buffer_deinit(&body);
	return status;
}

static int total_find(struct dead *d)
{
	struct dal_http_answer answer;
	int status = dal_remote_get(&d->remote, "/v1/status", &answer);

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	if (dal_json_parse(d->reader, dal_buffer_slice(&answer.body), DAL_JSON_TRUSTED, NULL) ==
	    0) {
		d->total = dal_member_integer(d->reader, DAL_JSON_ROOT, "dead_rows");
	}
	dal_http_answer_deinit(&answer);
	return status;
}

static void on_function(struct dead *d, uint32_t row, void *own)
{
	dal_map_set(own, dal_member_text(d->reader, row, "function"), d);
}

static int settle_all(struct dead *d, const char *verb, int64_t *done)
{
	struct dal_map *functions = dal_map_new();
	struct dal_slice name;
	size_t cursor = 0;
	void *value;
	int status = walk(d, on_function, functions);

	while (status == DAL_EXIT_DONE && dal_map_next(functions, &cursor, &name, &value)) {
		char *function = dal_slice_dup(name);
		status = settle_function(d, verb, function, done);
		free(function);
	}
	dal_map_free(functions);
	return status;
}

static int settle(struct dead *d, const char *verb, char **rows, int count, bool all)
{
	struct dal_buffer body = {0};
	int64_t done = 0;
	bool more = false;
	int status = total_find(d);

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	if (all) {
		status = settle_all(d, verb, &done);
	} else if (d->function) {
		status = settle_function(d, verb, d->function, &done);
	} else {
		question(&body, NULL, rows, count);
		status = settle_some(d, verb, &body, &done, &more);
		dal_buffer_deinit(&body);
	}
	if (d->json) {
		printf("{\"%s\":%lld}\n", strcmp(verb, "retry") == 0 ? "retried" : "dropped",
		       (long long)done);
	} else if (status == DAL_EXIT_DONE || done > 0) {
		printf("%lld %s\n", (long long)done,
		       strcmp(verb, "retry") == 0 ? "sent again" : "dropped");
	}
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct dead d = {.command = command};
	const char *format = NULL, *all = NULL, *url = NULL, *verb;
	struct dal_option options[] = {
		{"function", "NAME", "those of one function", &d.function},
		{"all", NULL, "of retry and drop: every one", &all},
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &url},
		{"format", "json", "a JSON object a line", &format},
		{0},
	};
	bool listing;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &d.json) < 0) {
		return DAL_EXIT_USAGE;
	}
	verb = argc > 1 ? argv[1] : "list";
	listing = strcmp(verb, "list") == 0;
	if (!listing && strcmp(verb, "retry") != 0 && strcmp(verb, "drop") != 0) {
		return dal_usage(command, "\"%s\" is neither list, retry nor drop", verb);
	}
	if (listing && argc > 2) {
		return dal_usage(command, "list takes no rows; name a function with --function");
	}
	if (!listing && (argc > 2) + (d.function != NULL) + (all != NULL) != 1) {
		return dal_usage(command, "say which: rows as `dalamb dead list` shows them, "
					  "--function NAME, or --all");
	}
	d.reader = dal_json_new();
	status = dal_remote_open(&d.remote, command, url, 0);
	if (status == DAL_EXIT_DONE) {
		status = listing ? list(&d) : settle(&d, verb, argv + 2, argc - 2, all != NULL);
	}
	dal_remote_close(&d.remote);
	dal_json_free(d.reader);
	return status;
}

const struct dal_command dal_command_dead = {
	.name = "dead",
	.arguments = "[list|retry|drop] [ROW...]",
	.summary = "calls that failed for good: lists them, sends them again, drops them",
	.example = "  dalamb dead\n"
		   "  dalamb dead retry --function fraud-check\n",
	.run = run,
};

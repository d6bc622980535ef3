/* dalamb query: entries of projections. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/print.h"
#include "engine/cli/remote.h"
#include "engine/cli/stream.h"

struct query {
	struct dal_remote remote;
	const char *projection, *key;
	const char *prefix, *from, *to, *limit, *position, *timeout;
	bool all, watch, json;
	struct dal_json *reader;
	struct dal_sse sse; /* of a watch */
};

static int parse(struct query *q, const struct dal_http_answer *answer)
{
	if (dal_json_parse(q->reader, dal_buffer_slice(&answer->body), DAL_JSON_TRUSTED, NULL) !=
	    0) {
		return dal_fail(q->remote.command, DAL_EXIT_UNREACHABLE, "the answer is no JSON");
	}
	return DAL_EXIT_DONE;
}

static void note_parked(struct query *q, uint32_t entry)
{
	uint32_t parked = dal_json_find(q->reader, entry, dal_slice_text("parked"));

	if (parked == DAL_JSON_NONE) {
		return;
	}
	fflush(stdout);
	fprintf(stderr, "parked: ");
	dal_print(stderr, dal_member_text(q->reader, entry, "key"));
	fprintf(stderr, " takes no more events since ");
	dal_print(stderr, dal_member_text(q->reader, parked, "position"));
	fprintf(stderr, ": ");
	dal_print(stderr, dal_member_text(q->reader, parked, "message"));
	fprintf(stderr, "\n");
}

static int print_one(struct query *q, const struct dal_http_answer *answer)
{
	int status = parse(q, answer);

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	if (q->json) {
		fwrite(answer->body.data, 1, answer->body.size, stdout);
		return status;
	}
	dal_print_document(stdout, dal_json_raw(q->reader, dal_json_find(q->reader, DAL_JSON_ROOT,
									 dal_slice_text("value"))));
	note_parked(q, DAL_JSON_ROOT);
	return status;
}

static void print_line(struct query *q, uint32_t entry)
{
	struct dal_slice value = dal_member_raw(q->reader, entry, "value");

	if (q->json) {
		struct dal_slice raw = dal_json_raw(q->reader, entry);
		fwrite(raw.data, 1, raw.size, stdout);
		fputc('\n', stdout);
		return;
	}
	dal_print(stdout, dal_member_text(q->reader, entry, "key"));
	fputc('\t', stdout);
	dal_print(stdout, value.size > 0 ? value : dal_slice_text("null"));
	fputc('\n', stdout);
	note_parked(q, entry);
}

/* A page; *cursor gets where it goes on. */
static int print_page(struct query *q, const struct dal_http_answer *answer,
		      struct dal_buffer *cursor, size_t *count)
{
	uint32_t entries;
	int status = parse(q, answer);

	dal_buffer_clear(cursor);
	if (status != DAL_EXIT_DONE) {
		return status;
	}
	entries = dal_json_find(q->reader, DAL_JSON_ROOT, dal_slice_text("entries"));
	if (entries != DAL_JSON_NONE) {
		uint32_t node = entries + 1;
		for (uint32_t i = 0; i < dal_json_count(q->reader, entries); i++) {
			print_line(q, node);
			node = dal_json_next(q->reader, node);
			*count += 1;
		}
	}
	dal_buffer_slice_append(cursor, dal_member_text(q->reader, DAL_JSON_ROOT, "cursor"));
	return DAL_EXIT_DONE;
}

static void target_make(const struct query *q, const char *cursor, struct dal_buffer *target)
{
	dal_buffer_clear(target);
	dal_buffer_text(target, "/v1/projections/");
	dal_http_encode(dal_slice_text(q->projection), target);
	if (q->key) {
		dal_buffer_byte(target, '/');
		dal_http_encode(dal_slice_text(q->key), target);
	}
	dal_target_add(target, "prefix", q->prefix);
	dal_target_add(target, "from", q->from);
	dal_target_add(target, "to", q->to);
	dal_target_add(target, "limit", q->limit ? q->limit : q->all ? "1000" : NULL);
	dal_target_add(target, "min-position", q->position);
	dal_target_add(target, "timeout", q->timeout);
	dal_target_add(target, "cursor", cursor);
}

static int show_range(struct query *q)
{
	struct dal_buffer target = {0}, cursor = {0};
	struct dal_http_answer answer;
	size_t count = 0;
	int status;

	do {
		target_make(q, cursor.size > 0 ? dal_buffer_cstr(&cursor) : NULL, &target);
		status = dal_remote_get(&q->remote, dal_buffer_cstr(&target), &answer);
		if (status == DAL_EXIT_DONE) {
			status = print_page(q, &answer, &cursor, &count);
			dal_http_answer_deinit(&answer);
		}
	} while (status == DAL_EXIT_DONE && q->all && cursor.size > 0);
	if (status == DAL_EXIT_DONE && cursor.size > 0) {
		fflush(stdout);
		fprintf(stderr, "there are more: use --all, or --from\n");
	}
	dal_buffer_deinit(&target);
	dal_buffer_deinit(&cursor);
	return status == DAL_EXIT_DONE && count == 0 ? DAL_EXIT_NO : status;
}

static int show_one(struct query *q)
{
	struct dal_buffer target = {0};
	struct dal_http_answer answer;
	int status;

	target_make(q, NULL, &target);
	status = dal_remote_get(&q->remote, dal_buffer_cstr(&target), &answer);
	if (status == DAL_EXIT_DONE) {
		status = print_one(q, &answer);
		dal_http_answer_deinit(&answer);
	}
	dal_buffer_deinit(&target);
	return status;
}

/* --- a watch: a snapshot, then each change --- */

static int on_change(void *own, struct dal_slice data)
{
	struct query *q = own;
	struct dal_slice event = dal_buffer_slice(&q->sse.event);

	if (dal_json_parse(q->reader, data, DAL_JSON_TRUSTED, NULL) != 0) {
		return 0;
	}
	if (dal_slice_is(event, "entry") || (q->json && dal_slice_is(event, "gone"))) {
		print_line(q, DAL_JSON_ROOT);
	} else if (dal_slice_is(event, "gone")) {
		dal_print(stdout, dal_member_text(q->reader, DAL_JSON_ROOT, "key"));
		printf("\t(gone)\n");
	} else if (dal_slice_is(event, "error")) {
		struct dal_slice detail = dal_member_text(q->reader, DAL_JSON_ROOT, "detail");
		dal_fail(q->remote.command, 0, "%.*s", (int)detail.size, detail.data);
		q->watch = false;
	}
	return fflush(stdout) == 0 && q->watch ? 0 : -1;
}

static int on_piece(struct dal_slice piece, void *own)
{
	struct query *q = own;

	q->remote.silent = false;
	return dal_sse_feed(&q->sse, piece);
}

/* Until it is interrupted; a connection that was lost is made again, and begins with a snapshot. */
static int show_changes(struct query *q)
{
	static const struct dal_http_header_line headers[] = {{"Accept", "text/event-stream"},
							      {NULL, NULL}};
	struct dal_buffer target = {0};
	struct dal_http_answer answer;
	bool connected = false;
	int status;

	target_make(q, NULL, &target);
	q->sse.each = on_change;
	q->sse.own = q;
	do {
		dal_sse_restart(&q->sse);
		status = dal_remote_ask(&q->remote,
					&(struct dal_http_ask){.method = "GET",
							       .target = dal_buffer_cstr(&target),
							       .headers = headers,
							       .write = on_piece,
							       .own = q},
					&answer);
		if (status == DAL_EXIT_DONE) {
			dal_http_answer_deinit(&answer);
			connected = true;
		}
		if (connected && q->watch && !ferror(stdout)) {
			dal_remote_again(&q->remote);
		}
	} while (connected && q->watch && !ferror(stdout));
	dal_sse_deinit(&q->sse);
	dal_buffer_deinit(&target);
	return q->watch ? status : DAL_EXIT_NO;
}

/* Which there are. */
static int show_projections(struct query *q)
{
	struct dal_http_answer answer;
	int status = dal_remote_get(&q->remote, "/v1/projections", &answer);
	uint32_t list;

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	status = parse(q, &answer);
	list = status == DAL_EXIT_DONE && !q->json
		       ? dal_json_find(q->reader, DAL_JSON_ROOT, dal_slice_text("projections"))
		       : DAL_JSON_NONE;
	if (q->json) {
		fwrite(answer.body.data, 1, answer.body.size, stdout);
	}
	for (uint32_t i = 0; list != DAL_JSON_NONE && i < dal_json_count(q->reader, list); i++) {
		uint32_t node = dal_json_at(q->reader, list, i);
		dal_print(stdout, dal_member_text(q->reader, node, "name"));
		printf("\tversion %lld\n",
		       (long long)dal_member_integer(q->reader, node, "version"));
	}
	dal_http_answer_deinit(&answer);
	return status;
}

static int show(struct query *q)
{
	if (!q->projection) {
		return show_projections(q);
	}
	if (q->watch) {
		return show_changes(q);
	}
	return q->key ? show_one(q) : show_range(q);
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct query q = {0};
	const char *format = NULL, *all = NULL, *watch = NULL, *url = NULL;
	struct dal_option options[] = {
		{"prefix", "TEXT", "keys that begin so", &q.prefix},
		{"from", "KEY", "keys from this one on", &q.from},
		{"to", "KEY", "keys before this one", &q.to},
		{"limit", "N", "at most so many; default 100", &q.limit},
		{"all", NULL, "page after page, to the end", &all},
		{"watch", NULL, "then each change, until it is interrupted", &watch},
		{"min-position", "POSITION", "waits until this event is folded in", &q.position},
		{"timeout", "TIME", "of that wait; default 5s", &q.timeout},
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &url},
		{"format", "json", "an entry a line, with its position", &format},
		{0},
	};
	uint64_t limit;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &q.json) < 0 ||
	    (q.limit && dal_number_parse(command, "limit", q.limit, &limit) < 0)) {
		return DAL_EXIT_USAGE;
	}
	q.projection = argc > 1 ? argv[1] : NULL;
	q.key = argc > 2 ? argv[2] : NULL;
	q.all = all != NULL;
	q.watch = watch != NULL;
	if (argc > 3) {
		return dal_usage(command, "one projection, one key (quote a key with spaces)");
	}
	if (q.key && (q.prefix || q.from || q.to || q.limit || all)) {
		return dal_usage(command, "a key, or a range: not both");
	}
	if (q.watch && (!q.projection || all || q.limit)) {
		return dal_usage(command, "--watch takes a projection and a key, a prefix or a "
					  "range, and no --all or --limit");
	}
	q.reader = dal_json_new();
	status = dal_remote_open(&q.remote, command, url, q.watch ? UINT64_MAX : 0);
	if (status == DAL_EXIT_DONE) {
		status = show(&q);
	}
	dal_remote_close(&q.remote);
	dal_json_free(q.reader);
	return status;
}

const struct dal_command dal_command_query = {
	.name = "query",
	.arguments = "[PROJECTION [KEY]]",
	.summary = "shows entries of a projection: one, a range, a prefix, a watch",
	.example = "  dalamb query customer-totals c1 --min-position events/0/17\n"
		   "  dalamb query customer-totals --prefix c --all --format json\n",
	.run = run,
};

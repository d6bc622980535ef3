/*
 * A running engine as the commands see it: --url or DALAMB_URL, and DALAMB_TOKEN.
 *
 * What goes wrong is printed here, problem+json in words; callers return the exit status that they
 * get. Main thread.
 *
 *	struct dal_remote remote;
 *	status = dal_remote_open(&remote, command, url, 0);
 *	if (status == DAL_EXIT_DONE) {
 *		status = dal_remote_get(&remote, "/v1/status", &answer);
 *	}
 */
#ifndef DAL_CLI_REMOTE_H
#define DAL_CLI_REMOTE_H

#include "engine/cli/cli.h"
#include "engine/http/client.h"

#define DAL_REMOTE_OPTION "URL"
#define DAL_REMOTE_HELP "of the engine; default: DALAMB_URL, else http://127.0.0.1:8080"

/* DALAMB_URL, else the default port here. */
const char *dal_remote_default(void);

struct dal_remote {
	const struct dal_command *command;
	struct dal_http_client *client;
	bool silent; /* says nothing of an engine that can't be reached: who waits for its return */
};

/* A stream ended, or its engine is away: says so once, and waits a second. */
void dal_remote_again(struct dal_remote *remote);

/* `url` NULL: the default; "unix:/path" is a socket. timeout_ms as of
 * the client. */
int dal_remote_open(struct dal_remote *remote, const struct dal_command *command, const char *url,
		    uint64_t timeout_ms);
void dal_remote_close(struct dal_remote *remote); /* also if it could not be opened */

/* DAL_EXIT_DONE with an answer of 2xx (which the caller deinits); otherwise the reason is printed
 * and there is none. */
int dal_remote_ask(struct dal_remote *remote, const struct dal_http_ask *ask,
		   struct dal_http_answer *answer);
int dal_remote_get(struct dal_remote *remote, const char *target, struct dal_http_answer *answer);
int dal_remote_post(struct dal_remote *remote, const char *target, struct dal_slice json,
		    struct dal_http_answer *answer);

/* The same without a word about statuses that are not 2xx: 0 with any status, or
 * DAL_EXIT_UNREACHABLE, printed. */
int dal_remote_try(struct dal_remote *remote, const struct dal_http_ask *ask,
		   struct dal_http_answer *answer);
/* Prints why an answer is none, and says with which status to exit. */
int dal_remote_refused(struct dal_remote *remote, const struct dal_http_answer *answer);

/* Appends "?name=value" or "&name=value", encoded; nothing if `value` is NULL. */
void dal_target_add(struct dal_buffer *target, const char *name, const char *value);

#endif

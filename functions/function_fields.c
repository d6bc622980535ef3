/* `func`: the table of what an operator may declare of a function. */
#include "functions/functions.h"

static const char *const drivers[] = {"process", "container", "sandbox", "remote", NULL};
static const char *const contracts[] = {"lambda", "http", "exec", NULL};
static const char *const inputs[] = {"event", "data", "http-v2", "eventbridge", "sqs", NULL};

static const struct dal_field batch_fields[] = {
	{.name = "size", .kind = DAL_FIELD_INTEGER, .fallback = "100", .doc = "Events in one batch."},
	{.name = "wait", .kind = DAL_FIELD_DURATION, .fallback = "200ms",
	 .doc = "How long a batch waits to be filled."},
	{0},
};

static const struct dal_field fields[] = {
	{.name = "command", .kind = DAL_FIELD_STRINGS,
	 .doc = "The program and its arguments: a process in functions/NAME."},
	{.name = "image", .kind = DAL_FIELD_STRING, .doc = "A container image, by digest."},
	{.name = "url", .kind = DAL_FIELD_STRING, .doc = "A service that runs already."},
	{.name = "driver", .kind = DAL_FIELD_STRING, .choices = drivers,
	 .doc = "Where it runs: process for a command, container for an image, remote for a url."},
	{.name = "contract", .kind = DAL_FIELD_STRING, .fallback = "lambda", .choices = contracts,
	 .doc = "How the event reaches the program."},
	{.name = "handler", .kind = DAL_FIELD_STRING, .doc = "The value of _HANDLER."},
	{.name = "paths", .kind = DAL_FIELD_STRINGS,
	 .doc = "What the sandbox shows beside the function's folder, read-only."},
	{.name = "sandbox", .kind = DAL_FIELD_BOOLEAN, .fallback = "true",
	 .doc = "false: no walls around the process, for code that you trust."},
	{.name = "timeout", .kind = DAL_FIELD_DURATION, .fallback = "10s",
	 .doc = "How long one invocation may take."},
	{.name = "memory", .kind = DAL_FIELD_SIZE, .fallback = "256MB",
	 .doc = "What one instance may use."},
	{.name = "cpu", .kind = DAL_FIELD_NUMBER, .doc = "The share of cores that one instance gets."},
	{.name = "tmp", .kind = DAL_FIELD_SIZE, .fallback = "64MB", .doc = "The size of its /tmp."},
	{.name = "env", .kind = DAL_FIELD_MAP, .doc = "Environment variables, secrets among them."},
	{.name = "network", .kind = DAL_FIELD_STRING, .fallback = "none",
	 .doc = "none, or a network of the container engine that limits.networks lists."},
	{.name = "min", .kind = DAL_FIELD_INTEGER, .fallback = "0", .doc = "Instances kept warm."},
	{.name = "max", .kind = DAL_FIELD_INTEGER, .fallback = "8", .doc = "Instances at once."},
	{.name = "per_instance", .kind = DAL_FIELD_INTEGER, .fallback = "1",
	 .doc = "Invocations that one instance does at once."},
	{.name = "idle", .kind = DAL_FIELD_DURATION, .fallback = "5m",
	 .doc = "An instance without work ends after that."},
	{.name = "rate", .kind = DAL_FIELD_RATE, .doc = "No more invocations than that."},
	{.name = "attempts", .kind = DAL_FIELD_INTEGER, .fallback = "4", .doc = "Tries of one event."},
	{.name = "age", .kind = DAL_FIELD_DURATION, .fallback = "24h",
	 .doc = "How long an event is tried."},
	{.name = "backoff", .kind = DAL_FIELD_DURATION, .fallback = "1s",
	 .doc = "The wait after the first failed try; it doubles, with jitter, up to 5m."},
	{.name = "final", .kind = DAL_FIELD_STRINGS, .doc = "Error types that are not worth another try."},
	{.name = "order", .kind = DAL_FIELD_PATH, .or_kind = DAL_FIELD_BOOLEAN, .fallback = "subject",
	 .doc = "A path: events with the same value there go one after another; false: no order."},
	{.name = "batch", .kind = DAL_FIELD_TABLE, .fields = batch_fields,
	 .doc = "Several events an invocation."},
	{.name = "input", .kind = DAL_FIELD_STRING, .or_kind = DAL_FIELD_FUNCTION,
	 .fallback = "event", .choices = inputs,
	 .doc = "What the program gets: the event, its data, or what a function makes of it."},
	{0},
};

const struct dal_declarable dal_function_declarable = {
	.name = "func",
	.named = true,
	.rights = DAL_DECLARE_OPERATOR,
	.fields = fields,
	.doc = "A program that takes an event and gives a result.",
};

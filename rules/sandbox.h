/*
 * A Lua state with walls: capped memory, counted instructions, a CPU-time line. Private to rules.
 *
 * Everything that runs Lua (the loader, a machine) goes through dal_sandbox_call, which sets the
 * limits, calls, and says how it ended. Own C functions that loop call dal_sandbox_charge, as the
 * count hook doesn't fire inside them. After an expiry the hook fires at every instruction and our
 * pcall passes the error on, so a script can't live on. One thread at a time.
 *
 * Slot 1 of the state's stack is the message handler; slots up to DAL_SLOT_COUNT are named below.
 */
#ifndef DAL_RULES_SANDBOX_H
#define DAL_RULES_SANDBOX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "engine/event/event.h"
#include "engine/event/json.h"
#include "rules/pool.h"

struct dal_coverage_lines;
struct dal_event_view;
struct dal_loader;
struct dal_vm;

extern const char dal_functions_key; /* the registry's key of the table in DAL_SLOT_FUNCTIONS */

enum dal_slot {
	DAL_SLOT_HANDLER = 1,
	DAL_SLOT_FUNCTIONS, /* what was declared: functions by number, from 1 */
	DAL_SLOT_EVENT,     /* the view on the current event */
	DAL_SLOT_COUNT = DAL_SLOT_EVENT,
};

/* What is running: it decides what `view` and the declaring words answer. */
enum dal_phase {
	DAL_PHASE_LOAD,
	DAL_PHASE_WHEN,
	DAL_PHASE_EMIT,
	DAL_PHASE_INPUT,
	DAL_PHASE_KEY,
	DAL_PHASE_FOLD,
};

enum dal_expiry { DAL_EXPIRY_NONE, DAL_EXPIRY_FUEL, DAL_EXPIRY_MEMORY, DAL_EXPIRY_TIME };

struct dal_sandbox_limits {
	size_t live_bytes;  /* more than at the start of the call */
	size_t total_bytes; /* allocated during the call */
	int64_t instructions;
	int64_t cpu_us; /* 0: no line */
	bool short_run; /* fewer than DAL_SANDBOX_SLICE instructions: the hook isn't even set */
};

/* The hook fires after so many instructions; between two firings only fuel that C functions charge
 * is watched. */
#define DAL_SANDBOX_SLICE 250

extern const struct dal_sandbox_limits dal_sandbox_call_limits, dal_sandbox_load_limits;

struct dal_sandbox {
	lua_State *lua;
	struct dal_pool pool; /* its memory */
	size_t live, live_limit;   /* bytes */
	size_t total, total_limit; /* bytes */
	const struct dal_sandbox_limits *limits;
	int64_t fuel;
	int64_t cpu_limit_us, cpu_start_us, coarse_ns;
	enum dal_expiry expired;
	enum dal_phase phase;
	uint64_t generation; /* of event views; those of an older one are dead */
	uint64_t calls;      /* entry proxies are valid within one call */
	const struct dal_event *event;
	struct dal_event_view *view,
		*data;                    /* on the event, and on its data if that's a container */
	struct dal_json *json;            /* for json.decode and stored entries; made when needed */
	struct dal_buffer scratch;        /* of C functions that may be left by an error */
	struct dal_buffer message, trace; /* of the last failure */
	struct dal_loader *loader;        /* while files are loaded */
	struct dal_vm *vm;
	struct dal_coverage_lines *lines; /* of tests: told of every line; else NULL */
};

/* How a call ended; values of vm.h's outcomes are made from it. */
enum { DAL_SANDBOX_FAILED = 2, DAL_SANDBOX_LIMIT = 3 };

/* A state with the library (library.h) and nothing else in it. */
void dal_sandbox_init(struct dal_sandbox *sandbox);
void dal_sandbox_deinit(struct dal_sandbox *sandbox);
/*
 * Calls the function below `arguments` values. 0 with `results` values on the stack; else nothing
 * on it, and `message` and `trace` are filled.
 */
int dal_sandbox_call(struct dal_sandbox *sandbox, const struct dal_sandbox_limits *limits,
		     int arguments, int results);

static inline struct dal_sandbox *dal_sandbox_of(lua_State *lua)
{
	return *(struct dal_sandbox **)lua_getextraspace(lua);
}

/* Takes instructions for work done in C; raises when there are none left. */
void dal_sandbox_charge(lua_State *lua, size_t instructions);
/* Raises again if the call has expired: a protected call must not swallow it. */
void dal_sandbox_rethrow(lua_State *lua, int status);
/* An error's value as text without any address; pushes it. */
void dal_sandbox_describe(lua_State *lua, int index);

#endif

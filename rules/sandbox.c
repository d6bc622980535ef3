#include "rules/sandbox.h"

#include <time.h>

#include "engine/base/clock.h"
#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/coverage_lines.h"
#include "rules/library.h"

const struct dal_sandbox_limits dal_sandbox_call_limits = {
	.live_bytes = DAL_LIMIT_CALL_LIVE_BYTES,
	.total_bytes = DAL_LIMIT_CALL_TOTAL_BYTES,
	.instructions = DAL_LIMIT_CALL_INSTRUCTIONS,
	.cpu_us = DAL_LIMIT_CALL_CPU_MS * 1000,
};
const struct dal_sandbox_limits dal_sandbox_load_limits = {
	.live_bytes = DAL_LIMIT_LOAD_BYTES,
	.total_bytes = 4 * DAL_LIMIT_LOAD_BYTES,
	.instructions = DAL_LIMIT_LOAD_INSTRUCTIONS,
	.cpu_us = DAL_LIMIT_LOAD_CPU_MS * 1000,
};

const char dal_functions_key = 0;

static void *allocate(void *own, void *old, size_t old_size, size_t size)
{
	struct dal_sandbox *sandbox = own;
	size_t before = old != NULL ? old_size : 0; /* else it is a type, not a size */
	if (size > before) {
		size_t more = size - before;
		if (more > sandbox->live_limit || sandbox->live > sandbox->live_limit - more ||
		    more > sandbox->total_limit || sandbox->total > sandbox->total_limit - more) {
			return NULL; /* Lua collects garbage, tries once more, then raises */
		}
		sandbox->total += more;
	}
	sandbox->live = sandbox->live - before + size;
	return dal_pool_resize(&sandbox->pool, old, before, size);
}

static void hook(lua_State *lua, lua_Debug *frame);

static const char *expiry_text(const struct dal_sandbox *sandbox)
{
	switch (sandbox->expired) {
	case DAL_EXPIRY_FUEL:
		return "too many instructions: does a loop not end?";
	case DAL_EXPIRY_TIME:
		return "too much CPU time";
	default:
		return "not enough memory: does something grow without end?";
	}
}

static _Noreturn void expire(lua_State *lua, enum dal_expiry why)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (sandbox->expired == DAL_EXPIRY_NONE) {
		sandbox->expired = why;
		lua_sethook(lua, hook, LUA_MASKCOUNT, 1);
	}
	/* What is needed to say so is little, and nothing of the script runs any more. */
	sandbox->live_limit = SIZE_MAX;
	sandbox->total_limit = SIZE_MAX;
	luaL_where(lua, 0); /* of the hook: the script's function; of a C function: nothing */
	if (lua_rawlen(lua, -1) == 0) {
		lua_pop(lua, 1);
		luaL_where(lua, 1);
	}
	lua_pushstring(lua, expiry_text(sandbox));
	lua_concat(lua, 2);
	lua_error(lua);
	__builtin_unreachable();
}

/*
 * The clock is started at the first firing, as most calls never get there, and the thread's time,
 * a system call, is asked only when the cheap coarse clock has moved.
 */
static bool time_is_over(struct dal_sandbox *sandbox)
{
	struct timespec coarse;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
	int64_t coarse_ns = (int64_t)coarse.tv_sec * 1000000000 + coarse.tv_nsec;
	if (sandbox->cpu_start_us < 0) {
		sandbox->cpu_start_us = dal_clock_thread_cpu_us();
		sandbox->coarse_ns = coarse_ns;
		return false;
	}
	if (coarse_ns == sandbox->coarse_ns) {
		return false;
	}
	sandbox->coarse_ns = coarse_ns;
	return dal_clock_thread_cpu_us() - sandbox->cpu_start_us > sandbox->cpu_limit_us;
}

static void hook(lua_State *lua, lua_Debug *frame)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (frame->event == LUA_HOOKLINE) {
		dal_coverage_lines_ran(sandbox->lines, lua, frame);
		return;
	}
	if (sandbox->expired != DAL_EXPIRY_NONE) {
		expire(lua, sandbox->expired);
	}
	sandbox->fuel -= DAL_SANDBOX_SLICE;
	if (sandbox->fuel <= 0) {
		expire(lua, DAL_EXPIRY_FUEL);
	}
	if (sandbox->cpu_limit_us != 0 && time_is_over(sandbox)) {
		expire(lua, DAL_EXPIRY_TIME);
	}
}

void dal_sandbox_charge(lua_State *lua, size_t instructions)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (sandbox->limits == NULL) {
		return; /* the engine itself, outside a call */
	}
	if (instructions >= (size_t)sandbox->limits->instructions) {
		sandbox->fuel = 0;
	} else {
		sandbox->fuel -= (int64_t)instructions;
	}
	if (sandbox->fuel <= 0) {
		expire(lua, DAL_EXPIRY_FUEL);
	}
}

void dal_sandbox_rethrow(lua_State *lua, int status)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	if (sandbox->expired != DAL_EXPIRY_NONE) {
		lua_error(lua);
	}
	if (status == LUA_ERRMEM) {
		expire(lua, DAL_EXPIRY_MEMORY);
	}
}

void dal_sandbox_describe(lua_State *lua, int index)
{
	index = lua_absindex(lua, index);
	if (lua_type(lua, index) == LUA_TTABLE) {
		lua_pushliteral(lua, "message");
		lua_rawget(lua, index);
		if (lua_type(lua, -1) == LUA_TSTRING) {
			return;
		}
		lua_pop(lua, 1);
	}
	dal_library_tostring(lua, index);
}

/* Runs where the error was raised, so the trace is still there. Only for the outermost call. */
static int handle_message(lua_State *lua)
{
	struct dal_sandbox *sandbox = dal_sandbox_of(lua);
	sandbox->live_limit = SIZE_MAX;
	sandbox->total_limit = SIZE_MAX;
	sandbox->limits = NULL;
	size_t size;
	dal_sandbox_describe(lua, 1);
	const char *text = lua_tolstring(lua, -1, &size);
	dal_buffer_append(&sandbox->message, text, size);
	luaL_traceback(lua, lua, NULL, 1);
	text = lua_tolstring(lua, -1, &size);
	dal_buffer_append(&sandbox->trace, text, size);
	return 0;
}

static void begin(struct dal_sandbox *sandbox, const struct dal_sandbox_limits *limits)
{
	sandbox->limits = limits;
	sandbox->live_limit = sandbox->live + limits->live_bytes;
	sandbox->total = 0;
	sandbox->total_limit = limits->total_bytes;
	sandbox->fuel = limits->instructions;
	sandbox->cpu_limit_us = limits->cpu_us;
	sandbox->cpu_start_us = -1;
	sandbox->expired = DAL_EXPIRY_NONE;
	sandbox->calls++;
	if (sandbox->lines != NULL) {
		lua_sethook(sandbox->lua, hook, LUA_MASKCOUNT | LUA_MASKLINE, DAL_SANDBOX_SLICE);
	} else if (!limits->short_run) {
		/* Also sets the count to its start: fuel is the same whatever ran before. */
		lua_sethook(sandbox->lua, hook, LUA_MASKCOUNT, DAL_SANDBOX_SLICE);
	} else if (lua_gethookmask(sandbox->lua) != 0) {
		lua_sethook(sandbox->lua, NULL, 0, 0);
	}
}

static void end(struct dal_sandbox *sandbox)
{
	sandbox->limits = NULL;
	sandbox->live_limit = SIZE_MAX;
	sandbox->total_limit = SIZE_MAX;
}

static int fail(struct dal_sandbox *sandbox, int status)
{
	if (status == LUA_ERRMEM && sandbox->expired == DAL_EXPIRY_NONE) {
		sandbox->expired = DAL_EXPIRY_MEMORY;
	}
	if (sandbox->message.size == 0) { /* raised without the handler */
		dal_buffer_text(&sandbox->message, sandbox->expired != DAL_EXPIRY_NONE
							   ? expiry_text(sandbox)
							   : "an error while an error was handled");
	}
	lua_settop(sandbox->lua, DAL_SLOT_COUNT);
	bool limit = sandbox->expired == DAL_EXPIRY_MEMORY || sandbox->expired == DAL_EXPIRY_TIME;
	if (sandbox->expired == DAL_EXPIRY_MEMORY) {
		lua_gc(sandbox->lua,
		       LUA_GCCOLLECT); /* its garbage would be the next call's allowance */
	}
	return limit ? DAL_SANDBOX_LIMIT : DAL_SANDBOX_FAILED;
}

int dal_sandbox_call(struct dal_sandbox *sandbox, const struct dal_sandbox_limits *limits,
		     int arguments, int results)
{
	begin(sandbox, limits);
	dal_buffer_clear(&sandbox->message);
	dal_buffer_clear(&sandbox->trace);
	int status = lua_pcall(sandbox->lua, arguments, results, DAL_SLOT_HANDLER);
	end(sandbox);
	return status == LUA_OK ? 0 : fail(sandbox, status);
}

static int panic(lua_State *lua)
{
	(void)lua;
	DAL_ASSERT(!"an error was raised outside of a protected call");
	return 0;
}

void dal_sandbox_init(struct dal_sandbox *sandbox)
{
	*sandbox = (struct dal_sandbox){.live_limit = SIZE_MAX, .total_limit = SIZE_MAX};
	lua_State *lua = lua_newstate(allocate, sandbox);
	DAL_ASSERT(lua != NULL);
	sandbox->lua = lua;
	lua_atpanic(lua, panic);
	*(struct dal_sandbox **)lua_getextraspace(lua) = sandbox;
	lua_pushcfunction(lua, handle_message);
	lua_newtable(lua);
	lua_pushvalue(lua, -1);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &dal_functions_key);
	lua_pushnil(lua);
	DAL_ASSERT(lua_gettop(lua) == DAL_SLOT_COUNT);
	dal_library_open(lua);
}

void dal_sandbox_deinit(struct dal_sandbox *sandbox)
{
	if (sandbox->lua != NULL) {
		lua_close(sandbox->lua);
	}
	dal_pool_deinit(&sandbox->pool);
	dal_json_free(sandbox->json);
	dal_buffer_deinit(&sandbox->scratch);
	dal_buffer_deinit(&sandbox->message);
	dal_buffer_deinit(&sandbox->trace);
}

/*
 * Lua's text patterns (find, match, gmatch, gsub), with a price for each step.
 *
 * Lua's own matcher may take exponential time, and no hook fires inside it. This one is written for
 * the sandbox: it charges fuel as it goes, and its recursion is bounded. Letters are ASCII's,
 * whatever the locale. Reference: Lua 5.4 manual, section 6.4.1.
 */
#include <string.h>

#include "rules/library.h"

#define CAPTURES 32
#define DEPTH 180
#define STEPS 256 /* charged together */

enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 };

struct match {
	lua_State *lua;
	const char *text, *text_end;
	const char *pattern_end;
	int depth;
	int steps;
	int level; /* captures so far */
	struct {
		const char *start;
		ptrdiff_t size; /* or CAPTURE_OPEN, CAPTURE_POSITION */
	} capture[CAPTURES];
};

static const char *here(struct match *m, const char *s, const char *p);

static bool in_range(unsigned char c, unsigned char from, unsigned char to)
{
	return c >= from && c <= to;
}

static bool is_class(unsigned char c, char class)
{
	bool lower = in_range(c, 'a', 'z'), upper = in_range(c, 'A', 'Z'),
	     digit = in_range(c, '0', '9');
	bool result;
	switch (class | 0x20) {
	case 'a':
		result = lower || upper;
		break;
	case 'c':
		result = c < 32 || c == 127;
		break;
	case 'd':
		result = digit;
		break;
	case 'g':
		result = in_range(c, 33, 126);
		break;
	case 'l':
		result = lower;
		break;
	case 'p':
		result = in_range(c, 33, 126) && !lower && !upper && !digit;
		break;
	case 's':
		result = c == ' ' || in_range(c, '\t', '\r');
		break;
	case 'u':
		result = upper;
		break;
	case 'w':
		result = lower || upper || digit;
		break;
	case 'x':
		result = digit || in_range(c, 'a', 'f') || in_range(c, 'A', 'F');
		break;
	default:
		return class == (char)c; /* an escaped character */
	}
	return result != in_range((unsigned char)class, 'A', 'Z'); /* a capital negates */
}

/* One past the single-character item at `p`: a character, %x, or [set]. */
static const char *item_end(struct match *m, const char *p)
{
	if (*p == '%') {
		if (p + 1 == m->pattern_end) {
			luaL_error(m->lua, "malformed pattern (ends with '%%')");
		}
		return p + 2;
	}
	if (*p != '[') {
		return p + 1;
	}
	p++;
	if (p < m->pattern_end && *p == '^') {
		p++;
	}
	do { /* a ']' right at the start stands for itself */
		if (p >= m->pattern_end) {
			luaL_error(m->lua, "malformed pattern (missing ']')");
		}
		p += *p == '%' && p + 1 < m->pattern_end ? 2 : 1;
	} while (p >= m->pattern_end || *p != ']');
	return p + 1;
}

/* Is `c` in the set from '[' at `p` to the ']' at `last`. */
static bool in_set(unsigned char c, const char *p, const char *last)
{
	bool inside = true;
	p++;
	if (*p == '^') {
		inside = false;
		p++;
	}
	for (; p < last; p++) {
		if (*p == '%' && p + 1 < last) {
			p++;
			if (is_class(c, *p)) {
				return inside;
			}
		} else if (p + 2 < last && p[1] == '-') {
			if (in_range(c, (unsigned char)p[0], (unsigned char)p[2])) {
				return inside;
			}
			p += 2;
		} else if ((unsigned char)*p == c) {
			return inside;
		}
	}
	return !inside;
}

static bool one(struct match *m, const char *s, const char *p, const char *end)
{
	if (++m->steps >= STEPS) {
		m->steps = 0;
		dal_sandbox_charge(m->lua, STEPS);
	}
	if (s >= m->text_end) {
		return false;
	}
	unsigned char c = (unsigned char)*s;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_class(c, p[1]);
	case '[':
		if (end - p > 16) {
			dal_sandbox_charge(m->lua, (size_t)(end - p) / 16);
		}
		return in_set(c, p, end - 1);
	default:
		return (unsigned char)*p == c;
	}
}

static const char *repeat_most(struct match *m, const char *s, const char *p, const char *end,
			       size_t least)
{
	size_t count = 0;
	while (one(m, s + count, p, end)) {
		count++;
	}
	for (;; count--) {
		if (count < least) {
			return NULL;
		}
		const char *result = here(m, s + count, end + 1);
		if (result != NULL) {
			return result;
		}
		if (count == 0) {
			return NULL;
		}
	}
}

static const char *repeat_least(struct match *m, const char *s, const char *p, const char *end)
{
	for (;; s++) {
		const char *result = here(m, s, end + 1);
		if (result != NULL || !one(m, s, p, end)) {
			return result;
		}
	}
}

static const char *open_capture(struct match *m, const char *s, const char *p, ptrdiff_t size)
{
	if (m->level >= CAPTURES) {
		luaL_error(m->lua, "too many captures");
	}
	m->capture[m->level].start = s;
	m->capture[m->level].size = size;
	m->level++;
	const char *result = here(m, s, p);
	if (result == NULL) {
		m->level--;
	}
	return result;
}

static const char *close_capture(struct match *m, const char *s, const char *p)
{
	int i = m->level - 1;
	while (i >= 0 && m->capture[i].size != CAPTURE_OPEN) {
		i--;
	}
	if (i < 0) {
		luaL_error(m->lua, "malformed pattern (a ')' without '(')");
	}
	m->capture[i].size = s - m->capture[i].start;
	const char *result = here(m, s, p);
	if (result == NULL) {
		m->capture[i].size = CAPTURE_OPEN;
	}
	return result;
}

/* %bxy: from an x to the y that balances it. */
static const char *balanced(struct match *m, const char *s, const char *p)
{
	if (m->pattern_end - p < 2) {
		luaL_error(m->lua, "malformed pattern (missing arguments to '%%b')");
	}
	if (s >= m->text_end || *s != p[0]) {
		return NULL;
	}
	size_t open = 1;
	for (const char *at = s + 1; at < m->text_end; at++) {
		if (*at == p[1]) {
			open--;
			if (open == 0) {
				dal_sandbox_charge(m->lua, (size_t)(at - s) / 4);
				return at + 1;
			}
		} else if (*at == p[0]) {
			open++;
		}
	}
	dal_sandbox_charge(m->lua, (size_t)(m->text_end - s) / 4);
	return NULL;
}

/* %f[set]: between a character that is not in the set and one that is; NUL at the ends. */
static bool frontier(struct match *m, const char *s, const char *p, const char *end)
{
	unsigned char before = s == m->text ? 0 : (unsigned char)s[-1];
	unsigned char after = s < m->text_end ? (unsigned char)*s : 0;
	return !in_set(before, p, end - 1) && in_set(after, p, end - 1);
}

static const char *same_as_capture(struct match *m, const char *s, char digit)
{
	int i = digit - '1';
	if (i < 0 || i >= m->level || m->capture[i].size == CAPTURE_OPEN) {
		luaL_error(m->lua, "invalid capture index %%%d in pattern", i + 1);
	}
	size_t size = m->capture[i].size == CAPTURE_POSITION ? 0 : (size_t)m->capture[i].size;
	dal_sandbox_charge(m->lua, size / 16 + 1);
	if ((size_t)(m->text_end - s) < size || memcmp(m->capture[i].start, s, size) != 0) {
		return NULL;
	}
	return s + size;
}

/* What begins with '%' and is no class: %b, %f, %1..%9. `*p` is moved behind it. True if handled.
 */
static bool special(struct match *m, const char **s, const char **p)
{
	const char *at = *p;
	if (*at != '%' || at + 1 >= m->pattern_end) {
		return false;
	}
	if (at[1] == 'b') {
		*s = balanced(m, *s, at + 2);
		*p = at + 4;
	} else if (at[1] == 'f') {
		if (at + 2 >= m->pattern_end || at[2] != '[') {
			luaL_error(m->lua, "missing '[' after '%%f' in pattern");
		}
		*p = item_end(m, at + 2);
		*s = frontier(m, *s, at + 2, *p) ? *s : NULL;
	} else if (in_range((unsigned char)at[1], '0', '9')) {
		*s = same_as_capture(m, *s, at[1]);
		*p = at + 2;
	} else {
		return false;
	}
	return true;
}

/* One item and its repetition. True: go on at *s, *p; false: *s is the final answer. */
static bool item(struct match *m, const char **s, const char **p)
{
	const char *end = item_end(m, *p);
	switch (end < m->pattern_end ? *end : '\0') {
	case '*':
		*s = repeat_most(m, *s, *p, end, 0);
		return false;
	case '+':
		*s = repeat_most(m, *s, *p, end, 1);
		return false;
	case '-':
		*s = repeat_least(m, *s, *p, end);
		return false;
	case '?':
		if (one(m, *s, *p, end)) {
			const char *result = here(m, *s + 1, end + 1);
			if (result != NULL) {
				*s = result;
				return false;
			}
		}
		*p = end + 1;
		return true;
	default:
		*s = one(m, *s, *p, end) ? *s + 1 : NULL;
		*p = end;
		return *s != NULL;
	}
}

static const char *walk(struct match *m, const char *s, const char *p)
{
	while (p < m->pattern_end) {
		if (*p == '(') {
			bool position = p + 1 < m->pattern_end && p[1] == ')';
			return position ? open_capture(m, s, p + 2, CAPTURE_POSITION)
					: open_capture(m, s, p + 1, CAPTURE_OPEN);
		}
		if (*p == ')') {
			return close_capture(m, s, p + 1);
		}
		if (*p == '$' && p + 1 == m->pattern_end) {
			return s == m->text_end ? s : NULL;
		}
		if (special(m, &s, &p)) {
			if (s == NULL) {
				return NULL;
			}
		} else if (!item(m, &s, &p)) {
			return s;
		}
	}
	return s;
}

/* The end of the match of the pattern from `p` at `s`, or NULL. */
static const char *here(struct match *m, const char *s, const char *p)
{
	if (m->depth++ >= DEPTH) {
		luaL_error(m->lua, "pattern too complex");
	}
	const char *result = walk(m, s, p);
	m->depth--;
	return result;
}

static void push_capture(struct match *m, int i, const char *s, const char *end)
{
	if (i >= m->level) {
		if (i != 0) {
			luaL_error(m->lua, "invalid capture index %%%d", i + 1);
		}
		lua_pushlstring(m->lua, s, (size_t)(end - s)); /* the whole match */
	} else if (m->capture[i].size == CAPTURE_POSITION) {
		lua_pushinteger(m->lua, m->capture[i].start - m->text + 1);
	} else if (m->capture[i].size == CAPTURE_OPEN) {
		luaL_error(m->lua, "unfinished capture");
	} else {
		lua_pushlstring(m->lua, m->capture[i].start, (size_t)m->capture[i].size);
	}
}

static int push_captures(struct match *m, const char *s, const char *end)
{
	int count = m->level == 0 && s != NULL ? 1 : m->level;
	luaL_checkstack(m->lua, count, "too many captures");
	for (int i = 0; i < count; i++) {
		push_capture(m, i, s, end);
	}
	return count;
}

/* The first match at or behind `s`; its start, or NULL. */
static const char *search(struct match *m, const char *s, const char *p, const char **end)
{
	bool anchor = p < m->pattern_end && *p == '^';
	if (anchor) {
		p++;
	}
	do {
		m->level = 0;
		m->depth = 0;
		*end = here(m, s, p);
		if (*end != NULL) {
			return s;
		}
		s++;
	} while (s <= m->text_end && !anchor);
	return NULL;
}

static struct match prepare(lua_State *lua, const char **pattern)
{
	size_t text_size, pattern_size;
	const char *text = luaL_checklstring(lua, 1, &text_size);
	*pattern = luaL_checklstring(lua, 2, &pattern_size);
	return (struct match){.lua = lua,
			      .text = text,
			      .text_end = text + text_size,
			      .pattern_end = *pattern + pattern_size};
}

static bool find_plain(struct match *m, const char *s, const char *pattern, const char **start)
{
	size_t size = (size_t)(m->pattern_end - pattern);
	dal_sandbox_charge(m->lua, (size_t)(m->text_end - s) / 16 + 1);
	*start = size == 0 ? s : memmem(s, (size_t)(m->text_end - s), pattern, size);
	return *start != NULL;
}

static int find(lua_State *lua, bool captures_only)
{
	const char *pattern, *end;
	struct match m = prepare(lua, &pattern);
	lua_Integer size = m.text_end - m.text, init = luaL_optinteger(lua, 3, 1);
	if (init < 0) {
		init = init < -size ? 1 : size + init + 1;
	} else if (init == 0) {
		init = 1;
	}
	if (init > size + 1) {
		lua_pushnil(lua);
		return 1;
	}
	const char *s = m.text + init - 1, *start;
	if (!captures_only && lua_toboolean(lua, 4)) {
		if (find_plain(&m, s, pattern, &start)) {
			lua_pushinteger(lua, start - m.text + 1);
			lua_pushinteger(lua, start - m.text + (m.pattern_end - pattern));
			return 2;
		}
	} else if ((start = search(&m, s, pattern, &end)) != NULL) {
		if (captures_only) {
			return push_captures(&m, start, end);
		}
		lua_pushinteger(lua, start - m.text + 1);
		lua_pushinteger(lua, end - m.text);
		return push_captures(&m, NULL, NULL) + 2;
	}
	lua_pushnil(lua);
	return 1;
}

int dal_library_find(lua_State *lua)
{
	return find(lua, false);
}

int dal_library_match(lua_State *lua)
{
	return find(lua, true);
}

/* Upvalues: text, pattern, where to go on, the end of the last match (0: none). */
static int gmatch_step(lua_State *lua)
{
	lua_settop(lua, 0);
	lua_pushvalue(lua, lua_upvalueindex(1));
	lua_pushvalue(lua, lua_upvalueindex(2));
	const char *pattern, *end;
	struct match m = prepare(lua, &pattern);
	const char *last = m.text + lua_tointeger(lua, lua_upvalueindex(4)) - 1;
	for (const char *s = m.text + lua_tointeger(lua, lua_upvalueindex(3)) - 1; s <= m.text_end;
	     s++) {
		m.level = 0;
		m.depth = 0;
		end = here(&m, s, pattern);
		if (end != NULL && end != last) {
			lua_pushinteger(lua, end - m.text + 1);
			lua_copy(lua, -1, lua_upvalueindex(3));
			lua_copy(lua, -1, lua_upvalueindex(4));
			return push_captures(&m, s, end);
		}
	}
	lua_pushinteger(lua, m.text_end - m.text + 2);
	lua_replace(lua, lua_upvalueindex(3));
	return 0;
}

int dal_library_gmatch(lua_State *lua)
{
	luaL_checkstring(lua, 1);
	luaL_checkstring(lua, 2);
	lua_settop(lua, 2);
	lua_pushinteger(lua, 1);
	lua_pushinteger(lua, 0);
	lua_pushcclosure(lua, gmatch_step, 4);
	return 1;
}

/* A replacement text with %0 .. %9 and %% in it. */
static void add_text(struct match *m, luaL_Buffer *out, const char *s, const char *end)
{
	size_t size;
	const char *text = lua_tolstring(m->lua, 3, &size);
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '%') {
			luaL_addchar(out, text[i]);
			continue;
		}
		i++;
		if (i < size && text[i] == '%') {
			luaL_addchar(out, '%');
		} else if (i < size && text[i] == '0') {
			luaL_addlstring(out, s, (size_t)(end - s));
		} else if (i < size && in_range((unsigned char)text[i], '1', '9')) {
			push_capture(m, text[i] - '1', s, end);
			luaL_tolstring(m->lua, -1, NULL); /* a position is a number */
			lua_remove(m->lua, -2);
			luaL_addvalue(out);
		} else {
			luaL_error(m->lua, "invalid use of '%%' in replacement string");
		}
	}
	dal_sandbox_charge(m->lua, size / 8 + 1);
}

static void add_value(struct match *m, luaL_Buffer *out, const char *s, const char *end)
{
	lua_State *lua = m->lua;
	switch (lua_type(lua, 3)) {
	case LUA_TFUNCTION:
		lua_pushvalue(lua, 3);
		lua_call(lua, push_captures(m, s, end), 1);
		break;
	case LUA_TTABLE:
		push_capture(m, 0, s, end);
		lua_gettable(lua, 3);
		break;
	default:
		add_text(m, out, s, end);
		return;
	}
	if (!lua_toboolean(lua, -1)) {
		lua_pop(lua, 1);
		luaL_addlstring(out, s, (size_t)(end - s)); /* keep the original */
	} else if (!lua_isstring(lua, -1)) {
		luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
	} else {
		luaL_addvalue(out);
	}
}

int dal_library_gsub(lua_State *lua)
{
	const char *pattern, *last = NULL;
	struct match m = prepare(lua, &pattern);
	int type = lua_type(lua, 3);
	luaL_argexpected(lua,
			 type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE ||
				 type == LUA_TFUNCTION,
			 3, "string/function/table");
	lua_Integer most = luaL_optinteger(lua, 4, LUA_MAXINTEGER), count = 0;
	lua_settop(lua, 3);
	bool anchor = pattern < m.pattern_end && *pattern == '^';
	pattern += anchor;
	luaL_Buffer out;
	luaL_buffinit(lua, &out);
	const char *s = m.text;
	while (count < most) {
		m.level = 0;
		m.depth = 0;
		const char *end = here(&m, s, pattern);
		if (end != NULL && end != last) {
			count++;
			add_value(&m, &out, s, end);
			s = last = end;
		} else if (s < m.text_end) {
			luaL_addchar(&out, *s++);
		} else {
			break;
		}
		if (luaL_bufflen(&out) > DAL_LIBRARY_STRING_BYTES) {
			return luaL_error(lua, "resulting string too large");
		}
		if (anchor) {
			break;
		}
	}
	luaL_addlstring(&out, s, (size_t)(m.text_end - s));
	luaL_pushresult(&out);
	lua_pushinteger(lua, count);
	return 2;
}

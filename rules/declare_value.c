/* Declarations of other folders: what was written, checked against their field tables. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/library.h"
#include "rules/loader.h"
#include "rules/userdata.h"

struct converting {
	struct dal_loader *loader;
	lua_State *lua;
	const char *what; /* `func "x"` */
	int line;
	char path[256]; /* "env.MODE" */
};

static bool convert(struct converting *c, const struct dal_field *field, int index,
		    struct dal_value *value);

__attribute__((format(printf, 2, 3))) static bool refuse(struct converting *c, const char *format,
							 ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dal_loader_report(c->loader, c->line, "%s: '%s' %s", c->what, c->path, text);
	return false;
}

static const char *type_text(lua_State *lua, int index)
{
	return dal_is_null(lua, index)                            ? "null"
	       : dal_userdata_tag(lua, index) == DAL_TAG_SECRET   ? "secret"
	       : dal_userdata_tag(lua, index) == DAL_TAG_OPERATOR ? "pattern operator"
								  : luaL_typename(lua, index);
}

static bool is_secret(lua_State *lua, int index)
{
	return dal_userdata_tag(lua, index) == DAL_TAG_SECRET;
}

/* Can a Lua value of this type be of the kind at all: decides between a field's two kinds. */
static bool accepts(enum dal_field_kind kind, lua_State *lua, int index)
{
	int type = lua_type(lua, index);
	switch (kind) {
	case DAL_FIELD_STRING:
	case DAL_FIELD_NAME:
	case DAL_FIELD_PATH:
		return type == LUA_TSTRING;
	case DAL_FIELD_INTEGER:
	case DAL_FIELD_NUMBER:
		return type == LUA_TNUMBER;
	case DAL_FIELD_BOOLEAN:
		return type == LUA_TBOOLEAN;
	case DAL_FIELD_DURATION:
	case DAL_FIELD_SIZE:
	case DAL_FIELD_RATE:
		return type == LUA_TSTRING || type == LUA_TNUMBER;
	case DAL_FIELD_STRINGS:
	case DAL_FIELD_TABLES:
		return type == LUA_TSTRING || type == LUA_TTABLE;
	case DAL_FIELD_SECRET:
		return is_secret(lua, index);
	case DAL_FIELD_SECRETS:
		return is_secret(lua, index) || type == LUA_TTABLE;
	case DAL_FIELD_MAP:
	case DAL_FIELD_TABLE:
		return type == LUA_TTABLE;
	case DAL_FIELD_PATTERN:
		return type == LUA_TTABLE || type == LUA_TUSERDATA;
	case DAL_FIELD_FUNCTION:
		return type == LUA_TFUNCTION;
	case DAL_FIELD_JSON:
		return type != LUA_TFUNCTION && type != LUA_TUSERDATA;
	}
	return false;
}

static void set_text(struct dal_value *value, struct dal_slice text)
{
	value->text = dal_slice_dup(text);
	value->text_size = text.size;
}

/* The string at `index`, for whoever reads it up to a NUL. */
static bool take_text(struct converting *c, int index, struct dal_value *value)
{
	struct dal_slice text;
	text.data = lua_tolstring(c->lua, index, &text.size);
	set_text(value, text);
	return memchr(text.data, 0, text.size) == NULL || refuse(c, "has a NUL in it");
}

/* Text, or a number as its text, by the rules of the field. */
static bool convert_text(struct converting *c, const struct dal_field *field, int index,
			 struct dal_value *value)
{
	struct dal_error error;
	struct dal_slice text;
	lua_pushvalue(c->lua, index);
	text.data = lua_tolstring(c->lua, -1, &text.size);
	bool done = true;
	struct dal_path *path = NULL;
	if (memchr(text.data, 0, text.size) != NULL) {
		done = refuse(c, "has a NUL in it");
	} else if (field->kind == DAL_FIELD_PATH && dal_path_parse(text, &path, &error) != 0) {
		done = refuse(c, "is no path: %s", error.text);
	} else if (dal_value_parse(field, text, value, &error) != 0) {
		done = false;
		dal_loader_report(c->loader, c->line, "%s: %s", c->what, error.text);
	}
	dal_path_free(path);
	lua_pop(c->lua, 1);
	return done;
}

static bool convert_number(struct converting *c, const struct dal_field *field, int index,
			   struct dal_value *value)
{
	if (field->kind == DAL_FIELD_INTEGER) {
		int whole;
		value->number = lua_tointegerx(c->lua, index, &whole);
		return whole ? true : refuse(c, "is not a whole number");
	}
	value->real = lua_tonumber(c->lua, index);
	return value->real - value->real == 0 ? true : refuse(c, "is not a finite number");
}

static void take_secret(lua_State *lua, int index, struct dal_value *value)
{
	struct dal_slice name;
	lua_getiuservalue(lua, index, 1);
	name.data = lua_tolstring(lua, -1, &name.size);
	set_text(value, name);
	value->secret = true;
	value->set = value->written = true;
	lua_pop(lua, 1);
}

static struct dal_value *add_item(struct dal_value *value)
{
	value->items = dal_reallocarray(value->items, value->count + 1, sizeof(*value->items));
	value->items[value->count] = (struct dal_value){
		.set = true, .written = true, .line = value->line};
	return &value->items[value->count++];
}

/* Has the table nothing but the values 1 to `size`. */
static bool is_list(lua_State *lua, int table, lua_Integer size)
{
	lua_Integer count = 0;
	lua_pushnil(lua);
	while (lua_next(lua, table)) {
		lua_pop(lua, 1);
		count++;
	}
	return count == size;
}

/* One string or secret, or a list of them. */
static bool convert_list(struct converting *c, const struct dal_field *field, int index,
			 struct dal_value *value)
{
	bool secrets = field->kind == DAL_FIELD_SECRETS,
	     table = lua_type(c->lua, index) == LUA_TTABLE;
	lua_Integer size = table ? (lua_Integer)lua_rawlen(c->lua, index) : 1;
	bool done = true;
	if (table && !is_list(c->lua, index, size)) {
		return refuse(c, "has fields, expected a list of %s",
			      secrets ? "secrets, { secret \"A\", secret \"B\" }"
				      : "names, { \"a\", \"b\" }");
	}
	for (lua_Integer i = 1; i <= size; i++) {
		if (table) {
			lua_rawgeti(c->lua, index, i);
		} else {
			lua_pushvalue(c->lua, index);
		}
		int at = lua_gettop(c->lua);
		if (secrets ? !is_secret(c->lua, at) : lua_type(c->lua, at) != LUA_TSTRING) {
			refuse(c, "has a %s in it, expected %s", type_text(c->lua, at),
			       dal_field_expects(field->kind));
			lua_pop(c->lua, 1);
			return false;
		}
		struct dal_value *item = add_item(value);
		item->kind = secrets ? DAL_FIELD_SECRET : DAL_FIELD_STRING;
		if (secrets) {
			take_secret(c->lua, at, item);
		} else {
			done = take_text(c, at, item) && done;
		}
		lua_pop(c->lua, 1);
	}
	return done;
}

static bool convert_map_item(struct converting *c, int index, struct dal_value *item)
{
	lua_State *lua = c->lua;
	item->kind = DAL_FIELD_STRING;
	if (is_secret(lua, index)) {
		item->kind = DAL_FIELD_SECRET;
		take_secret(lua, index, item);
		return true;
	}
	int type = lua_type(lua, index);
	if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) {
		return refuse(c, "is a %s, expected a string, number, boolean or secret",
			      type_text(lua, index));
	}
	dal_library_tostring(lua, index);
	bool done = take_text(c, lua_gettop(lua), item);
	lua_pop(lua, 1);
	return done;
}

/* The name at `index`, of a table with nothing in it. */
static bool add_bare(struct converting *c, int index, struct dal_value *value)
{
	struct dal_value *item = add_item(value);
	item->kind = DAL_FIELD_TABLE;
	item->line = c->line;
	item->key = dal_strdup(lua_tostring(c->lua, index));
	return strlen(item->key) == lua_rawlen(c->lua, index) || refuse(c, "has a NUL in it");
}

/* An entry of TABLES, by `fields`, or of a MAP (NULL); its name and value are on the stack. */
static bool convert_entry(struct converting *c, struct dal_value *value,
			  const struct dal_field *fields)
{
	int index = lua_gettop(c->lua), line = c->line;
	if (lua_type(c->lua, index - 1) != LUA_TSTRING) {
		return fields != NULL && lua_type(c->lua, index) == LUA_TSTRING
			       ? add_bare(c, index, value)
			       : refuse(c, "has a value without a name: write name = value");
	}
	const char *name = lua_tostring(c->lua, index - 1);
	size_t path_size = strlen(c->path);
	snprintf(c->path + path_size, sizeof(c->path) - path_size, ".%s", name);
	c->line = dal_loader_field_line(c->loader, line, name);
	struct dal_value *item = add_item(value);
	item->key = dal_strdup(name);
	item->line = c->line;
	struct dal_field inner = {.name = name, .kind = DAL_FIELD_TABLE, .fields = fields};
	bool done = strlen(name) == lua_rawlen(c->lua, index - 1) || refuse(c, "has a NUL in it");
	done = (fields != NULL ? convert(c, &inner, index, item)
			       : convert_map_item(c, index, item)) &&
	       done;
	c->path[path_size] = '\0';
	c->line = line;
	return done;
}

static bool convert_entries(struct converting *c, int table, struct dal_value *value,
			    const struct dal_field *fields)
{
	lua_State *lua = c->lua;
	if (lua_type(lua, table) == LUA_TSTRING) {
		return add_bare(c, table, value);
	}
	dal_keys_sorted(lua, table);
	const struct dal_keys *keys = lua_touserdata(lua, -1);
	int key_table = lua_gettop(lua) - 1;
	bool done = true;
	for (size_t i = 0; i < keys->count; i++) {
		lua_rawgeti(lua, key_table, keys->order[i]);
		lua_pushvalue(lua, -1);
		lua_rawget(lua, table);
		done = convert_entry(c, value, fields) && done;
		lua_pop(lua, 2);
	}
	lua_settop(lua, key_table - 1);
	return done;
}

static size_t field_count(const struct dal_field *fields)
{
	size_t count = 0;
	while (fields[count].name != NULL) {
		count++;
	}
	return count;
}

/* Each field of the table into its value, in the order of the field table. */
static bool convert_fields(struct converting *c, const struct dal_field *fields, int table,
			   struct dal_value *values)
{
	size_t count = field_count(fields), path_size = strlen(c->path);
	int line = c->line;
	bool done = true;
	for (size_t i = 0; i < count; i++) {
		lua_pushstring(c->lua, fields[i].name);
		int type = lua_rawget(c->lua, table);
		if (type != LUA_TNIL && dal_userdata_tag(c->lua, -1) != DAL_TAG_HOLE) {
			snprintf(c->path + path_size, sizeof(c->path) - path_size, "%s%s",
				 path_size > 0 ? "." : "", fields[i].name);
			c->line = dal_loader_field_line(c->loader, line, fields[i].name);
			done = convert(c, &fields[i], lua_gettop(c->lua), &values[i]) && done;
			c->path[path_size] = '\0';
			c->line = line;
		}
		lua_pop(c->lua, 1);
	}
	return done;
}

static void check_names(struct converting *c, const struct dal_field *fields, int table)
{
	char what[512];
	snprintf(what, sizeof(what), "%s%s%s", c->what, c->path[0] ? " " : "", c->path);
	dal_declare_fields(c->loader, what, c->line, table, fields);
}

static bool convert_pattern(struct converting *c, int index, struct dal_value *value)
{
	const char *const *topics;
	struct dal_rules *set = c->loader->set;
	struct dal_pattern *pattern = dal_operators_pattern(c->loader, c->what, c->line, index,
							    &topics);
	for (size_t i = 0; topics[i] != NULL; i++) {
		free((void *)topics[i]);
	}
	free((void *)topics);
	if (pattern == NULL) {
		return false;
	}
	if (!c->loader->checking) {
		dal_pattern_free(pattern);
		return true;
	}
	DAL_GROW(set->others, set->other_count, set->other_capacity);
	value->number =
		(int64_t)set->other_count; /* behind rules and projections: known in the end */
	set->others[set->other_count++] = pattern;
	return true;
}

static bool convert_json(struct converting *c, int index, struct dal_value *value)
{
	struct dal_buffer json = {0};
	struct dal_error error;
	if (!dal_declare_canonical(c->loader, index, "value", &json, &error)) {
		dal_buffer_deinit(&json);
		return refuse(c, "can't be kept: %s", error.text);
	}
	set_text(value, dal_buffer_slice(&json));
	dal_buffer_deinit(&json);
	return true;
}

static bool convert_kind(struct converting *c, const struct dal_field *field, int index,
			 struct dal_value *value)
{
	switch (field->kind) {
	case DAL_FIELD_STRING:
	case DAL_FIELD_NAME:
	case DAL_FIELD_DURATION:
	case DAL_FIELD_SIZE:
	case DAL_FIELD_RATE:
	case DAL_FIELD_PATH:
		return convert_text(c, field, index, value);
	case DAL_FIELD_INTEGER:
	case DAL_FIELD_NUMBER:
		return convert_number(c, field, index, value);
	case DAL_FIELD_BOOLEAN:
		value->boolean = lua_toboolean(c->lua, index);
		return true;
	case DAL_FIELD_STRINGS:
	case DAL_FIELD_SECRETS:
		return convert_list(c, field, index, value);
	case DAL_FIELD_MAP:
		return convert_entries(c, index, value, NULL);
	case DAL_FIELD_SECRET:
		take_secret(c->lua, index, value);
		return true;
	case DAL_FIELD_TABLE:
		check_names(c, field->fields, index);
		value->count = field_count(field->fields);
		value->items = dal_calloc(value->count + 1, sizeof(*value->items));
		return convert_fields(c, field->fields, index, value->items);
	case DAL_FIELD_TABLES:
		return convert_entries(c, index, value, field->fields);
	case DAL_FIELD_PATTERN:
		return convert_pattern(c, index, value);
	case DAL_FIELD_FUNCTION:
		lua_pushvalue(c->lua, index);
		value->number = dal_loader_function(c->loader, -1, c->line, c->what);
		lua_pop(c->lua, 1);
		return true;
	case DAL_FIELD_JSON:
		return convert_json(c, index, value);
	}
	return false;
}

static bool convert(struct converting *c, const struct dal_field *field, int index,
		    struct dal_value *value)
{
	struct dal_field chosen = *field;
	luaL_checkstack(c->lua, 16, "nested too deep");
	if (!accepts(field->kind, c->lua, index)) {
		if (field->or_kind == DAL_FIELD_NONE ||
		    !accepts((enum dal_field_kind)field->or_kind, c->lua, index)) {
			const char *hint =
				field->kind == DAL_FIELD_SECRET || field->kind == DAL_FIELD_SECRETS
					? ": write secret \"NAME\", so that it stands in no file"
					: "";
			bool both = field->or_kind != DAL_FIELD_NONE;
			return refuse(c, "is a %s, expected %s%s%s%s", type_text(c->lua, index),
				      dal_field_expects(field->kind), both ? " or " : "",
				      both ? dal_field_expects((enum dal_field_kind)field->or_kind)
					   : "",
				      hint);
		}
		chosen.kind = (enum dal_field_kind)field->or_kind;
	}
	chosen.or_kind = DAL_FIELD_NONE;
	bool done = convert_kind(c, &chosen, index, value);
	value->kind = chosen.kind;
	value->line = c->line;
	value->set = value->written = true; /* also if it was wrong: it isn't missing */
	return done;
}

static void complete(struct dal_loader *loader, struct dal_declaration *declaration)
{
	size_t before = loader->errors->count + loader->errors->dropped;
	dal_declaration_complete(declaration, loader->errors);
	if (loader->errors->count + loader->errors->dropped > before) {
		declaration->invalid = true;
	}
}

void dal_declare_foreign(struct dal_loader *loader, const struct dal_declarable *what,
			 const char *name, int line, int table)
{
	struct dal_rules *set = loader->set;
	struct dal_declaration declaration;
	char *text = what->named ? dal_asprintf("%s \"%.64s\"", what->name, name)
				 : dal_strdup(what->name);
	struct converting c = {
		.loader = loader, .lua = loader->sandbox->lua, .what = text, .line = line};
	dal_declaration_init(&declaration, what, name, dal_loader_source(loader)->name, line);
	check_names(&c, what->fields, table);
	declaration.invalid = !convert_fields(&c, what->fields, table, declaration.values);
	if (loader->checking) {
		dal_loader_name(loader, what->name, name, line);
		complete(loader, &declaration);
		declaration.index = set->declaration_count;
		DAL_GROW(set->declarations, set->declaration_count, set->declaration_capacity);
		set->declarations[set->declaration_count++] = declaration;
	} else {
		dal_declaration_deinit(&declaration);
	}
	free(text);
}

#include "rules/chunk.h"

#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

/* lopcodes.h: the operation in bits 0-6, A in 7-14, k in 15, B in 16-23, C in 24-31; Bx in 15-31;
 * Ax in 7-31.
 */
enum {
	OP_LOADK = 3,
	OP_LOADKX = 4,
	OP_GETUPVAL = 9,
	OP_SETUPVAL = 10,
	OP_GETTABUP = 11,
	OP_GETTABLE = 12,
	OP_GETI = 13,
	OP_GETFIELD = 14,
	OP_SETTABUP = 15,
	OP_SETFIELD = 18,
	OP_TBC = 55,
	OP_JMP = 56,
	OP_CALL = 68,
	OP_TAILCALL = 69,
	OP_FORLOOP = 73,
	OP_TFORLOOP = 77,
	OP_EXTRAARG = 82,
};

enum {
	CONSTANT_NUMBER = 0x13,
	CONSTANT_INTEGER = 0x03,
	CONSTANT_SHORT = 0x04,
	CONSTANT_LONG = 0x14
};

#define LINE_ABSOLUTE (-128)

struct reader {
	struct dal_slice rest;
};

/* The dump is made by this process's own Lua: that it reads well is an invariant, not input. */
static struct dal_slice take(struct reader *reader, size_t size)
{
	struct dal_slice out;
	bool ok = dal_slice_take(&reader->rest, size, &out);
	DAL_ASSERT(ok);
	return out;
}

static uint8_t take_byte(struct reader *reader)
{
	return (uint8_t)take(reader, 1).data[0];
}

static size_t take_size(struct reader *reader)
{
	size_t value = 0;
	uint8_t byte;
	do {
		byte = take_byte(reader);
		value = value << 7 | (byte & 0x7F);
	} while ((byte & 0x80) == 0);
	return value;
}

static struct dal_slice take_string(struct reader *reader)
{
	size_t size = take_size(reader);
	return size == 0 ? (struct dal_slice){0} : take(reader, size - 1);
}

static void read_constants(struct reader *reader, struct dal_proto *proto)
{
	proto->constant_count = take_size(reader);
	proto->constants = dal_calloc(proto->constant_count + 1, sizeof(*proto->constants));
	for (size_t i = 0; i < proto->constant_count; i++) {
		struct dal_constant *constant = &proto->constants[i];
		constant->type = take_byte(reader);
		if (constant->type == CONSTANT_NUMBER || constant->type == CONSTANT_INTEGER) {
			constant->bytes = take(reader, 8);
		} else if (constant->type == CONSTANT_SHORT || constant->type == CONSTANT_LONG) {
			constant->bytes = take_string(reader);
		}
	}
}

static void read_lines(struct reader *reader, struct dal_proto *proto)
{
	size_t count = take_size(reader);
	struct dal_slice deltas = take(reader, count);
	size_t absolute_count = take_size(reader);
	proto->lines = dal_calloc(proto->code_count + 1, sizeof(int));
	int line = proto->line;
	size_t at = 0; /* the next instruction without a line */
	for (size_t i = 0; i <= absolute_count; i++) {
		bool last = i == absolute_count;
		size_t pc = last ? count : take_size(reader);
		int absolute = last ? 0 : (int)take_size(reader);
		for (; at < pc && at < count; at++) {
			line += (signed char)deltas.data[at];
			proto->lines[at] = line;
		}
		if (!last && at < count) {
			line = absolute;
			proto->lines[at++] = line;
		}
	}
}

static void read_proto(struct reader *reader, struct dal_proto *proto, struct dal_slice source)
{
	*proto = (struct dal_proto){.source = take_string(reader)};
	if (proto->source.data == NULL) {
		proto->source = source;
	}
	proto->line = (int)take_size(reader);
	take_size(reader);
	proto->parameters = take_byte(reader);
	proto->vararg = take_byte(reader);
	proto->stack = take_byte(reader);
	proto->code_count = take_size(reader);
	proto->code = take(reader, proto->code_count * 4).data;
	read_constants(reader, proto);
	proto->upvalue_count = take_size(reader);
	proto->upvalues = dal_calloc(proto->upvalue_count + 1, sizeof(*proto->upvalues));
	for (size_t i = 0; i < proto->upvalue_count; i++) {
		proto->upvalues[i].in_stack = take_byte(reader);
		proto->upvalues[i].index = take_byte(reader);
		take_byte(reader);
	}
	proto->proto_count = take_size(reader);
	proto->protos = dal_calloc(proto->proto_count + 1, sizeof(*proto->protos));
	for (size_t i = 0; i < proto->proto_count; i++) {
		read_proto(reader, &proto->protos[i], proto->source);
	}
	read_lines(reader, proto);
	for (size_t n = take_size(reader); n > 0; n--) { /* local variables */
		take_string(reader);
		take_size(reader);
		take_size(reader);
	}
	for (size_t i = 0, n = take_size(reader); i < n; i++) {
		proto->upvalues[i].name = take_string(reader);
	}
}

static int append(lua_State *lua, const void *data, size_t size, void *own)
{
	(void)lua;
	dal_buffer_append(own, data, size);
	return 0;
}

void dal_chunk_read(struct dal_chunk *chunk, lua_State *lua, int index)
{
	/* signature, version, format, data, sizes of instruction, integer and number, two samples
	 */
	static const char head[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
	*chunk = (struct dal_chunk){0};
	lua_pushvalue(lua, index);
	lua_dump(lua, append, &chunk->dump, 0);
	lua_pop(lua, 1);
	struct reader reader = {dal_buffer_slice(&chunk->dump)};
	struct dal_slice found = take(&reader, sizeof(head) - 1);
	DAL_ASSERT(memcmp(found.data, head, found.size) == 0);
	take(&reader, 16);
	take_byte(&reader); /* number of upvalues, again */
	read_proto(&reader, &chunk->root, (struct dal_slice){0});
	DAL_ASSERT(reader.rest.size == 0);
}

static void proto_deinit(struct dal_proto *proto)
{
	for (size_t i = 0; i < proto->proto_count; i++) {
		proto_deinit(&proto->protos[i]);
	}
	free(proto->protos);
	free(proto->constants);
	free(proto->upvalues);
	free(proto->lines);
}

void dal_chunk_deinit(struct dal_chunk *chunk)
{
	proto_deinit(&chunk->root);
	dal_buffer_deinit(&chunk->dump);
}

struct instruction {
	unsigned op, a, k, b, c, bx, ax;
};

/* A jump's distance is Ax less this. */
#define JUMP_BIAS ((1u << 24) - 1)

static struct instruction instruction_at(const struct dal_proto *proto, size_t pc)
{
	uint32_t word;
	memcpy(&word, proto->code + pc * 4, sizeof(word));
	return (struct instruction){.op = word & 0x7F,
				    .a = word >> 7 & 0xFF,
				    .k = word >> 15 & 1,
				    .b = word >> 16 & 0xFF,
				    .c = word >> 24,
				    .bx = word >> 15,
				    .ax = word >> 7};
}

static bool is_environment(const struct dal_proto *proto, unsigned upvalue)
{
	return dal_slice_is(proto->upvalues[upvalue].name, "_ENV");
}

/* A use of a global by name. */
struct access {
	struct dal_slice name;
	unsigned a;  /* the register that a read goes to */
	size_t next; /* the instruction behind it */
	bool write;
};

/*
 * GETTABUP and SETTABUP name a global by one of the first 256 constants; where a function has more,
 * or a name is long, the environment is fetched, then the name, then the field.
 */
static bool access_at(const struct dal_proto *proto, size_t pc, struct access *out)
{
	struct instruction i = instruction_at(proto, pc);
	*out = (struct access){.a = i.a, .next = pc + 1};
	if (i.op == OP_GETTABUP && is_environment(proto, i.b)) {
		out->name = proto->constants[i.c].bytes;
		return true;
	}
	if (i.op == OP_SETTABUP && is_environment(proto, i.a)) {
		out->name = proto->constants[i.b].bytes;
		out->write = true;
		return true;
	}
	if (i.op != OP_GETUPVAL || !is_environment(proto, i.b)) {
		return false;
	}
	struct instruction name = instruction_at(proto, pc + 1);
	bool far = name.op == OP_LOADKX;
	if (!far && name.op != OP_LOADK) {
		return false;
	}
	out->next = pc + 2 + far;
	out->name = proto->constants[far ? instruction_at(proto, pc + 2).ax : name.bx].bytes;
	struct instruction use = instruction_at(proto, out->next);
	out->write = use.op != OP_GETTABLE || use.b != i.a || use.c != name.a;
	if (!out->write) {
		out->a = use.a;
		out->next++;
	}
	return true;
}

void dal_chunk_globals(const struct dal_proto *proto,
		       void (*found)(void *own, struct dal_slice name, int line, bool write),
		       void *own)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct access access;
		if (access_at(proto, pc, &access)) {
			found(own, access.name, proto->lines[pc], access.write);
		}
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		dal_chunk_globals(&proto->protos[i], found, own);
	}
}

static bool is_string(const struct dal_constant *constant)
{
	return constant->type == CONSTANT_SHORT || constant->type == CONSTANT_LONG;
}

/*
 * A function was fetched: the literal string that it is called with first, by the call at
 * `function`. It stands in the register behind the fetched one, and stays there up to the call.
 */
static struct dal_slice literal_argument(const struct dal_proto *proto, const struct access *access,
					 unsigned function)
{
	struct instruction first = instruction_at(proto, access->next);
	if (first.op != OP_LOADK || first.a != access->a + 1 ||
	    !is_string(&proto->constants[first.bx])) {
		return (struct dal_slice){0};
	}
	for (size_t pc = access->next + 1; pc < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		bool call = i.op == OP_CALL || i.op == OP_TAILCALL;
		if (call && i.a == function) {
			return proto->constants[first.bx].bytes;
		}
		if (i.op != OP_JMP && i.op != OP_EXTRAARG &&
		    (i.a == access->a || i.a == first.a || (call && i.a < access->a))) {
			break;
		}
	}
	return (struct dal_slice){0};
}

void dal_chunk_uses(const struct dal_proto *proto, const char *function,
		    void (*found)(void *own, struct dal_slice argument, int line), void *own)
{
	struct access before = {0};
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct access access;
		if (!access_at(proto, pc, &access)) {
			continue;
		}
		if (!access.write && dal_slice_is(access.name, function)) {
			bool protected = before.next == pc && before.a + 1 == access.a &&
					 dal_slice_is(before.name, "pcall");
			found(own, literal_argument(proto, &access, access.a - protected),
			      proto->lines[pc]);
		}
		before = access;
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		dal_chunk_uses(&proto->protos[i], function, found, own);
	}
}

/* A function was fetched: is it called for one value, of which the next instruction takes a field?
 */
static bool is_indexed(const struct dal_proto *proto, const struct access *access)
{
	for (size_t pc = access->next; pc + 1 < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		struct instruction next = instruction_at(proto, pc + 1);
		if (i.op == OP_CALL && i.a == access->a) {
			return i.c == 2 && next.b == i.a &&
			       (next.op == OP_GETFIELD || next.op == OP_GETTABLE ||
				next.op == OP_GETI);
		}
		if (i.op != OP_JMP && i.op != OP_EXTRAARG && i.a == access->a) {
			return false;
		}
	}
	return false;
}

void dal_chunk_indexed(const struct dal_proto *proto, const char *function,
		       void (*found)(void *own, struct dal_slice argument, int line), void *own)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct access access;
		if (access_at(proto, pc, &access) && !access.write &&
		    dal_slice_is(access.name, function) && is_indexed(proto, &access)) {
			found(own, literal_argument(proto, &access, access.a), proto->lines[pc]);
		}
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		dal_chunk_indexed(&proto->protos[i], function, found, own);
	}
}

bool dal_chunk_fields(const struct dal_proto *proto, size_t upvalue,
		      void (*found)(void *own, struct dal_slice name), void *own)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		if (i.op == OP_GETTABUP && i.b == upvalue) {
			found(own, proto->constants[i.c].bytes);
		} else if (i.op == OP_GETUPVAL && i.b == upvalue) {
			return false;
		}
	}
	for (size_t p = 0; p < proto->proto_count; p++) {
		const struct dal_proto *inner = &proto->protos[p];
		for (size_t u = 0; u < inner->upvalue_count; u++) {
			if (!inner->upvalues[u].in_stack && inner->upvalues[u].index == upvalue &&
			    !dal_chunk_fields(inner, u, found, own)) {
				return false;
			}
		}
	}
	return true;
}

void dal_chunk_sets(const struct dal_proto *proto, const char *field,
		    void (*found)(void *own, struct dal_slice value), void *own)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		if (i.op == OP_SETFIELD && dal_slice_is(proto->constants[i.b].bytes, field)) {
			bool literal = i.k && is_string(&proto->constants[i.c]);
			found(own, literal ? proto->constants[i.c].bytes : (struct dal_slice){0});
		}
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		dal_chunk_sets(&proto->protos[i], field, found, own);
	}
}

bool dal_chunk_branches(const struct dal_proto *proto)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		if (instruction_at(proto, pc).op == OP_JMP) {
			return true;
		}
	}
	return false;
}

void dal_chunk_strings(const struct dal_proto *proto,
		       void (*found)(void *own, struct dal_slice text), void *own)
{
	for (size_t i = 0; i < proto->constant_count; i++) {
		if (is_string(&proto->constants[i])) {
			found(own, proto->constants[i].bytes);
		}
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		dal_chunk_strings(&proto->protos[i], found, own);
	}
}

/* `outer[i]`: does the upvalue i of this prototype live outside of the root's call? */
static bool outer_write(const struct dal_proto *proto, const bool *outer,
			struct dal_chunk_write *write)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		if (i.op == OP_SETUPVAL && outer[i.b]) {
			*write = (struct dal_chunk_write){proto->upvalues[i.b].name,
							  proto->lines[pc], false};
			return true;
		}
		struct access access;
		if (access_at(proto, pc, &access) && access.write) {
			*write = (struct dal_chunk_write){access.name, proto->lines[pc], true};
			return true;
		}
	}
	for (size_t p = 0; p < proto->proto_count; p++) {
		const struct dal_proto *inner = &proto->protos[p];
		bool inner_outer[256];
		for (size_t i = 0; i < inner->upvalue_count; i++) {
			const struct dal_upvalue *upvalue = &inner->upvalues[i];
			inner_outer[i] = !upvalue->in_stack && outer[upvalue->index];
		}
		if (outer_write(inner, inner_outer, write)) {
			return true;
		}
	}
	return false;
}

bool dal_chunk_outer_write(const struct dal_proto *proto, struct dal_chunk_write *write)
{
	bool outer[256];
	for (size_t i = 0; i < sizeof(outer) / sizeof(outer[0]); i++) {
		outer[i] = true;
	}
	return outer_write(proto, outer, write);
}

bool dal_chunk_is_short(const struct dal_proto *proto, size_t instructions)
{
	for (size_t pc = 0; pc < proto->code_count; pc++) {
		struct instruction i = instruction_at(proto, pc);
		bool back = i.op == OP_JMP && i.ax < JUMP_BIAS;
		bool call = i.op == OP_CALL || i.op == OP_TAILCALL || i.op == OP_TBC;
		if (back || call || (i.op >= OP_FORLOOP && i.op <= OP_TFORLOOP)) {
			return false;
		}
	}
	return proto->code_count < instructions;
}

/* Where the root's upvalues come from is the caller's to say: their values count. */
static void digest(const struct dal_proto *proto, bool inner, struct dal_digester *digester)
{
	const uint8_t head[] = {proto->parameters, proto->vararg};
	dal_digester_add(digester, dal_slice(head, sizeof(head)));
	dal_digester_add(digester, dal_slice(proto->code, proto->code_count * 4));
	for (size_t i = 0; i < proto->constant_count; i++) {
		dal_digester_add(digester, dal_slice(&proto->constants[i].type, 1));
		dal_digester_add(digester, proto->constants[i].bytes);
	}
	for (size_t i = 0; inner && i < proto->upvalue_count; i++) {
		const uint8_t place[] = {proto->upvalues[i].in_stack, proto->upvalues[i].index};
		dal_digester_add(digester, dal_slice(place, sizeof(place)));
	}
	for (size_t i = 0; i < proto->proto_count; i++) {
		digest(&proto->protos[i], true, digester);
	}
	dal_digester_add(digester, dal_slice_text("end"));
}

void dal_chunk_digest(const struct dal_proto *proto, struct dal_digester *digester)
{
	digest(proto, false, digester);
}

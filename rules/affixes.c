#include "rules/affixes.h"

#include <endian.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

#define ROOT 0u

/* The bytes of `text` from `start` to `end` lead from the parent to here. */
struct node {
	struct dal_slice text;
	uint32_t start, end;
	uint32_t parent; /* of a free one: the next free one */
	uint32_t children;
	uint32_t id; /* of the text that ends here, or DAL_ABSENT */
};

struct dal_affixes {
	bool backwards;
	struct node *nodes;
	uint32_t count, capacity;
	uint32_t free;
	struct dal_id_table edges; /* nodes by parent and first byte */
	uint32_t firsts[256];      /* those below the root, or DAL_ABSENT */
};

static unsigned char byte_at(const struct dal_affixes *affixes, struct dal_slice text, size_t i)
{
	return (unsigned char)text.data[affixes->backwards ? text.size - 1 - i : i];
}

/* Eight bytes from the i-th on, the first of them in the highest bits. */
static uint64_t word_at(const struct dal_affixes *affixes, struct dal_slice text, size_t i)
{
	uint64_t word;
	const char *from = text.data + (affixes->backwards ? text.size - i - sizeof(word) : i);
	memcpy(&word, from, sizeof(word));
	return affixes->backwards ? le64toh(word) : be64toh(word);
}

/* Up to which byte both are the same, from `i` on and up to `end`, which both have. */
static uint32_t common(const struct dal_affixes *affixes, struct dal_slice a, struct dal_slice b,
		       uint32_t i, uint32_t end)
{
	for (; i + sizeof(uint64_t) <= end; i += (uint32_t)sizeof(uint64_t)) {
		uint64_t differ = word_at(affixes, a, i) ^ word_at(affixes, b, i);
		if (differ != 0) {
			return i + (uint32_t)__builtin_clzll(differ) / 8;
		}
	}
	while (i < end && byte_at(affixes, a, i) == byte_at(affixes, b, i)) {
		i++;
	}
	return i;
}

static uint32_t edge_hash(uint32_t parent, unsigned char byte)
{
	return (uint32_t)(((uint64_t)parent << 8 | byte) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static uint32_t child_of(const struct dal_affixes *affixes, uint32_t parent, unsigned char byte)
{
	if (parent == ROOT) {
		return affixes->firsts[byte];
	}
	uint32_t hash = edge_hash(parent, byte), at = hash, id;
	while ((id = dal_id_table_next(&affixes->edges, hash, &at)) != DAL_ABSENT) {
		const struct node *node = &affixes->nodes[id];
		if (node->parent == parent && byte_at(affixes, node->text, node->start) == byte) {
			break;
		}
	}
	return id;
}

static void link_child(struct dal_affixes *affixes, uint32_t id)
{
	const struct node *node = &affixes->nodes[id];
	unsigned char byte = byte_at(affixes, node->text, node->start);
	if (node->parent == ROOT) {
		affixes->firsts[byte] = id;
	} else {
		dal_id_table_add(&affixes->edges, edge_hash(node->parent, byte), id);
	}
	affixes->nodes[node->parent].children++;
}

static void unlink_child(struct dal_affixes *affixes, uint32_t id)
{
	const struct node *node = &affixes->nodes[id];
	unsigned char byte = byte_at(affixes, node->text, node->start);
	if (node->parent == ROOT) {
		affixes->firsts[byte] = DAL_ABSENT;
	} else {
		dal_id_table_remove(&affixes->edges, edge_hash(node->parent, byte), id);
	}
	affixes->nodes[node->parent].children--;
}

static uint32_t new_node(struct dal_affixes *affixes, struct node node)
{
	uint32_t id = affixes->free;
	if (id != DAL_ABSENT) {
		affixes->free = affixes->nodes[id].parent;
	} else {
		DAL_GROW(affixes->nodes, affixes->count, affixes->capacity);
		id = affixes->count++;
	}
	affixes->nodes[id] = node;
	return id;
}

struct dal_affixes *dal_affixes_new(bool backwards)
{
	struct dal_affixes *affixes = dal_calloc(1, sizeof(*affixes));
	affixes->backwards = backwards;
	affixes->free = DAL_ABSENT;
	new_node(affixes, (struct node){.parent = DAL_ABSENT, .id = DAL_ABSENT});
	memset(affixes->firsts, 0xff, sizeof(affixes->firsts));
	return affixes;
}

void dal_affixes_free(struct dal_affixes *affixes)
{
	if (affixes) {
		free(affixes->nodes);
		dal_id_table_deinit(&affixes->edges);
		free(affixes);
	}
}

/* A new node between `id` and its parent, where their common bytes end. */
static uint32_t split(struct dal_affixes *affixes, uint32_t id, uint32_t at)
{
	struct node upper = affixes->nodes[id];
	upper.end = at;
	upper.children = 0;
	upper.id = DAL_ABSENT;
	unlink_child(affixes, id);
	uint32_t new = new_node(affixes, upper);
	link_child(affixes, new);
	affixes->nodes[id].parent = new;
	affixes->nodes[id].start = at;
	link_child(affixes, id);
	return new;
}

void dal_affixes_add(struct dal_affixes *affixes, struct dal_slice text, uint32_t id)
{
	uint32_t at = 0, here = ROOT;
	while (at < text.size) {
		uint32_t child = child_of(affixes, here, byte_at(affixes, text, at));
		if (child == DAL_ABSENT) {
			child = new_node(affixes, (struct node){.text = text,
								.start = at,
								.end = (uint32_t)text.size,
								.parent = here,
								.id = DAL_ABSENT});
			link_child(affixes, child);
		}
		const struct node *node = &affixes->nodes[child];
		uint32_t end = node->end < text.size ? node->end : (uint32_t)text.size;
		end = common(affixes, node->text, text, at, end);
		here = end < node->end ? split(affixes, child, end) : child;
		at = end;
	}
	DAL_ASSERT(affixes->nodes[here].id == DAL_ABSENT);
	affixes->nodes[here].id = id;
}

void dal_affixes_remove(struct dal_affixes *affixes, struct dal_slice text)
{
	uint32_t at = 0, here = ROOT;
	while (at < text.size) {
		here = child_of(affixes, here, byte_at(affixes, text, at));
		DAL_ASSERT(here != DAL_ABSENT);
		at = affixes->nodes[here].end;
	}
	affixes->nodes[here].id = DAL_ABSENT;
	while (here != ROOT && affixes->nodes[here].children == 0 &&
	       affixes->nodes[here].id == DAL_ABSENT) {
		uint32_t parent = affixes->nodes[here].parent;
		unlink_child(affixes, here);
		affixes->nodes[here].parent = affixes->free;
		affixes->free = here;
		here = parent;
	}
}

void dal_affixes_find(const struct dal_affixes *affixes, struct dal_slice value,
		      void (*fire)(void *own, uint32_t id), void *own)
{
	uint32_t here = ROOT;
	for (;;) {
		const struct node *node = &affixes->nodes[here];
		if (node->id != DAL_ABSENT) {
			fire(own, node->id);
		}
		if (node->children == 0 || node->end >= value.size) {
			return;
		}
		uint32_t at = node->end;
		here = child_of(affixes, here, byte_at(affixes, value, at));
		if (here == DAL_ABSENT) {
			return;
		}
		node = &affixes->nodes[here];
		if (node->end > value.size ||
		    common(affixes, node->text, value, at, node->end) != node->end) {
			return;
		}
	}
}

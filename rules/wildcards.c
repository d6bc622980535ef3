#include "rules/wildcards.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "rules/affixes.h"

#define ROOT 0u
/* Past so many places of pieces in one value the wildcards are tried one by one. */
#define FOUND_LIMIT 65536
#define SHORT 64 /* bytes of a value whose places fit into one word */

struct piece {
	struct dal_slice text;
	uint32_t nodes; /* how many have it; 0: free */
};

struct child {
	uint32_t piece, node;
};

struct end {
	uint32_t id;
	bool exact; /* it has no first or last piece that is still to be compared */
	const struct dal_wildcard *wildcard;
};

/* The last inner piece of some wildcards, or the inside of others. The root has no piece. */
struct node {
	uint32_t piece, parent;
	struct child *children;
	uint32_t child_count, child_capacity;
	struct end *ends; /* the wildcards that end here */
	uint32_t end_count, end_capacity;
};

struct dal_wildcards {
	struct piece *pieces;
	uint32_t piece_count, piece_capacity;
	struct dal_id_table piece_table; /* by text */
	struct dal_affixes *longer;      /* the pieces of two bytes and more */
	uint32_t single[256];            /* the pieces of one byte, or DAL_ABSENT */
	uint32_t starts[256];            /* how many of the longer ones begin with this byte */
	struct node *nodes;
	uint32_t node_count, node_capacity;
	struct dal_id_table node_table; /* by parent and piece */
	uint32_t free_piece, free_node; /* linked by `nodes`, and `parent` */
};

static uint32_t piece_hash(struct dal_slice text)
{
	return (uint32_t)dal_text_hash(text, 0);
}

static uint32_t find_piece(const struct dal_wildcards *wildcards, struct dal_slice text)
{
	uint32_t hash = piece_hash(text), at = hash, id;
	while ((id = dal_id_table_next(&wildcards->piece_table, hash, &at)) != DAL_ABSENT) {
		if (dal_slice_equal(wildcards->pieces[id].text, text)) {
			break;
		}
	}
	return id;
}

static uint32_t add_piece(struct dal_wildcards *wildcards, struct dal_slice text)
{
	uint32_t id = find_piece(wildcards, text);
	if (id != DAL_ABSENT) {
		return id;
	}
	if (wildcards->free_piece != DAL_ABSENT) {
		id = wildcards->free_piece;
		wildcards->free_piece = wildcards->pieces[id].nodes;
	} else {
		DAL_GROW(wildcards->pieces, wildcards->piece_count, wildcards->piece_capacity);
		id = wildcards->piece_count++;
	}
	wildcards->pieces[id] = (struct piece){.text = text};
	dal_id_table_add(&wildcards->piece_table, piece_hash(text), id);
	unsigned char first = (unsigned char)text.data[0];
	if (text.size == 1) {
		wildcards->single[first] = id;
	} else {
		wildcards->starts[first]++;
		dal_affixes_add(wildcards->longer, text, id);
	}
	return id;
}

static void drop_piece(struct dal_wildcards *wildcards, uint32_t id)
{
	struct piece *piece = &wildcards->pieces[id];
	unsigned char first = (unsigned char)piece->text.data[0];
	dal_id_table_remove(&wildcards->piece_table, piece_hash(piece->text), id);
	if (piece->text.size == 1) {
		wildcards->single[first] = DAL_ABSENT;
	} else {
		wildcards->starts[first]--;
		dal_affixes_remove(wildcards->longer, piece->text);
	}
	piece->nodes = wildcards->free_piece;
	wildcards->free_piece = id;
}

static uint32_t node_hash(uint32_t parent, uint32_t piece)
{
	uint64_t hash = ((uint64_t)parent << 32 | piece) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

static uint32_t find_node(const struct dal_wildcards *wildcards, uint32_t parent, uint32_t piece)
{
	uint32_t hash = node_hash(parent, piece), at = hash, id;
	while ((id = dal_id_table_next(&wildcards->node_table, hash, &at)) != DAL_ABSENT) {
		if (wildcards->nodes[id].parent == parent && wildcards->nodes[id].piece == piece) {
			break;
		}
	}
	return id;
}

static uint32_t new_node(struct dal_wildcards *wildcards, uint32_t parent, uint32_t piece)
{
	uint32_t id = wildcards->free_node;
	if (id != DAL_ABSENT) {
		wildcards->free_node = wildcards->nodes[id].parent;
	} else {
		DAL_GROW(wildcards->nodes, wildcards->node_count, wildcards->node_capacity);
		id = wildcards->node_count++;
	}
	wildcards->nodes[id] = (struct node){.piece = piece, .parent = parent};
	return id;
}

static uint32_t add_node(struct dal_wildcards *wildcards, uint32_t parent, uint32_t piece)
{
	uint32_t id = find_node(wildcards, parent, piece);
	if (id != DAL_ABSENT) {
		return id;
	}
	id = new_node(wildcards, parent, piece);
	struct node *above = &wildcards->nodes[parent];
	DAL_GROW(above->children, above->child_count, above->child_capacity);
	above->children[above->child_count++] = (struct child){piece, id};
	dal_id_table_add(&wildcards->node_table, node_hash(parent, piece), id);
	wildcards->pieces[piece].nodes++;
	return id;
}

/* A node without wildcards and children goes, and those above it that it leaves so. */
static void drop_empty(struct dal_wildcards *wildcards, uint32_t id)
{
	while (id != ROOT) {
		struct node *node = &wildcards->nodes[id];
		uint32_t parent = node->parent, piece = node->piece, i = 0;
		struct node *above = &wildcards->nodes[parent];
		if (node->end_count > 0 || node->child_count > 0) {
			return;
		}
		free(node->children);
		free(node->ends);
		*node = (struct node){.parent = wildcards->free_node};
		wildcards->free_node = id;
		dal_id_table_remove(&wildcards->node_table, node_hash(parent, piece), id);
		while (above->children[i].node != id) {
			i++;
		}
		above->children[i] = above->children[--above->child_count];
		if (--wildcards->pieces[piece].nodes == 0) {
			drop_piece(wildcards, piece);
		}
		id = parent;
	}
}

struct dal_wildcards *dal_wildcards_new(void)
{
	struct dal_wildcards *wildcards = dal_calloc(1, sizeof(*wildcards));
	wildcards->free_piece = wildcards->free_node = DAL_ABSENT;
	wildcards->longer = dal_affixes_new(false);
	memset(wildcards->single, 0xff, sizeof(wildcards->single));
	new_node(wildcards, DAL_ABSENT, DAL_ABSENT);
	return wildcards;
}

void dal_wildcards_free(struct dal_wildcards *wildcards)
{
	if (wildcards) {
		for (uint32_t i = 0; i < wildcards->node_count; i++) {
			free(wildcards->nodes[i].children);
			free(wildcards->nodes[i].ends);
		}
		free(wildcards->nodes);
		dal_id_table_deinit(&wildcards->node_table);
		free(wildcards->pieces);
		dal_id_table_deinit(&wildcards->piece_table);
		dal_affixes_free(wildcards->longer);
		free(wildcards);
	}
}

void dal_wildcards_add(struct dal_wildcards *wildcards, const struct dal_wildcard *wildcard,
		       uint32_t id)
{
	uint32_t at = ROOT;
	for (uint32_t i = 1; i + 1 < wildcard->count; i++) {
		at = add_node(wildcards, at, add_piece(wildcards, wildcard->pieces[i]));
	}
	struct node *node = &wildcards->nodes[at];
	bool exact = wildcard->pieces[0].size + wildcard->pieces[wildcard->count - 1].size == 0;
	DAL_GROW(node->ends, node->end_count, node->end_capacity);
	node->ends[node->end_count++] = (struct end){id, exact, wildcard};
}

void dal_wildcards_remove(struct dal_wildcards *wildcards, const struct dal_wildcard *wildcard,
			  uint32_t id)
{
	uint32_t at = ROOT, i = 0;
	for (uint32_t j = 1; j + 1 < wildcard->count; j++) {
		at = find_node(wildcards, at, find_piece(wildcards, wildcard->pieces[j]));
	}
	struct node *node = &wildcards->nodes[at];
	while (node->ends[i].id != id) {
		i++;
	}
	node->ends[i] = node->ends[--node->end_count];
	drop_empty(wildcards, at);
}

void dal_wildcard_scratch_deinit(struct dal_wildcard_scratch *scratch)
{
	free(scratch->found);
	free(scratch->places);
	free(scratch->pieces);
	free(scratch->spans);
}

struct search {
	const struct dal_wildcards *wildcards;
	struct dal_wildcard_scratch *scratch;
	struct dal_slice value;
	uint32_t place;
	void (*fire)(void *own, uint32_t id);
	void *own;
};

static void note(void *own, uint32_t piece)
{
	const struct search *search = own;
	struct dal_wildcard_scratch *scratch = search->scratch;
	union dal_places *span = &scratch->spans[piece];
	if (scratch->found_count > FOUND_LIMIT) {
		return;
	}
	if (span->bits == 0) {
		DAL_GROW(scratch->pieces, scratch->piece_count, scratch->pieces_capacity);
		scratch->pieces[scratch->piece_count++] = piece;
	}
	if (search->value.size <= SHORT) {
		span->bits |= UINT64_C(1) << search->place;
		return;
	}
	DAL_GROW(scratch->found, scratch->found_count, scratch->found_capacity);
	scratch->found[scratch->found_count++] = (struct dal_occurrence){piece, search->place};
	span->count++;
}

/* Sorts what was found by piece, the places of each in their order. */
static void group(struct dal_wildcard_scratch *scratch)
{
	uint32_t first = 0;
	if (scratch->places_capacity < scratch->found_count) {
		free(scratch->places);
		scratch->places_capacity = scratch->found_capacity;
		scratch->places = dal_malloc(scratch->places_capacity * sizeof(*scratch->places));
	}
	for (size_t i = 0; i < scratch->piece_count; i++) {
		union dal_places *span = &scratch->spans[scratch->pieces[i]];
		span->first = first;
		first += span->count;
		span->count = 0;
	}
	for (size_t i = 0; i < scratch->found_count; i++) {
		union dal_places *span = &scratch->spans[scratch->found[i].piece];
		scratch->places[span->first + span->count++] = scratch->found[i].place;
	}
}

static void find_pieces(struct search *search)
{
	const struct dal_wildcards *wildcards = search->wildcards;
	struct dal_wildcard_scratch *scratch = search->scratch;
	struct dal_slice value = search->value;
	if (scratch->span_count < wildcards->piece_count) {
		free(scratch->spans);
		scratch->spans = dal_calloc(wildcards->piece_count, sizeof(*scratch->spans));
		scratch->span_count = wildcards->piece_count;
	}
	scratch->found_count = scratch->piece_count = 0;
	for (size_t i = 0; i < value.size && scratch->found_count <= FOUND_LIMIT; i++) {
		unsigned char byte = (unsigned char)value.data[i];
		search->place = (uint32_t)i;
		if (wildcards->single[byte] != DAL_ABSENT) {
			note(search, wildcards->single[byte]);
		}
		if (wildcards->starts[byte] > 0) {
			dal_affixes_find(wildcards->longer,
					 dal_slice(value.data + i, value.size - i), note, search);
		}
	}
}

/* The first place of a piece at or behind `from`, or DAL_ABSENT. */
static uint32_t next_place(const struct search *search, uint32_t piece, uint32_t from)
{
	const union dal_places *span = &search->scratch->spans[piece];
	if (search->value.size <= SHORT) {
		uint64_t behind = from < SHORT ? span->bits >> from : 0;
		return behind ? from + (uint32_t)__builtin_ctzll(behind) : DAL_ABSENT;
	}
	const uint32_t *places = search->scratch->places + span->first;
	uint32_t low = 0, high = span->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (places[middle] < from) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < span->count ? places[low] : DAL_ABSENT;
}

/* As deep as a wildcard has stars: DAL_LIMIT_PATTERN_STARS. */
static void descend(const struct search *search, uint32_t id, uint32_t from);

static void step(const struct search *search, uint32_t child, uint32_t piece, uint32_t from)
{
	uint32_t place = next_place(search, piece, from);
	if (place != DAL_ABSENT) {
		descend(search, child,
			place + (uint32_t)search->wildcards->pieces[piece].text.size);
	}
}

static void descend(const struct search *search, uint32_t id, uint32_t from)
{
	const struct dal_wildcard_scratch *scratch = search->scratch;
	const struct node *node = &search->wildcards->nodes[id];
	for (uint32_t i = 0; i < node->end_count; i++) {
		const struct end *end = &node->ends[i];
		if (end->exact || dal_wildcard_matches(end->wildcard, search->value)) {
			search->fire(search->own, end->id);
		}
	}
	if (node->child_count <= scratch->piece_count * 4) {
		for (uint32_t i = 0; i < node->child_count; i++) {
			step(search, node->children[i].node, node->children[i].piece, from);
		}
		return;
	}
	for (size_t i = 0; i < scratch->piece_count; i++) {
		uint32_t child = find_node(search->wildcards, id, scratch->pieces[i]);
		if (child != DAL_ABSENT) {
			step(search, child, scratch->pieces[i], from);
		}
	}
}

static void try_all(const struct search *search)
{
	for (uint32_t i = 0; i < search->wildcards->node_count; i++) {
		const struct node *node = &search->wildcards->nodes[i];
		for (uint32_t j = 0; j < node->end_count; j++) {
			if (dal_wildcard_matches(node->ends[j].wildcard, search->value)) {
				search->fire(search->own, node->ends[j].id);
			}
		}
	}
}

void dal_wildcards_find(const struct dal_wildcards *wildcards, struct dal_wildcard_scratch *scratch,
			struct dal_slice value, void (*fire)(void *own, uint32_t id), void *own)
{
	struct search search = {wildcards, scratch, value, 0, fire, own};
	find_pieces(&search);
	if (scratch->found_count <= FOUND_LIMIT) {
		if (value.size > SHORT) {
			group(scratch);
		}
		descend(&search, ROOT, 0);
	} else {
		try_all(&search);
	}
	for (size_t i = 0; i < scratch->piece_count; i++) {
		scratch->spans[scratch->pieces[i]].bits = 0;
	}
}

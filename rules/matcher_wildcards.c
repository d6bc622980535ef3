#include "rules/matcher_wildcards.h"

#include "engine/base/digest.h"
#include "engine/base/memory.h"

/* The last inner piece of some wildcards, or the inside of others. The root has no piece. */
struct node {
	uint32_t piece;
	uint32_t parent, first_child, sibling, children;
	uint32_t first_end; /* the wildcards that end here, or DAL_ABSENT */
};

/* Past so many places of pieces in one value the wildcards are tried one by one. */
#define FOUND_LIMIT 65536

struct end {
	uint32_t atom, next;
	const struct dal_wildcard *wildcard;
	bool exact; /* it has no first or last piece that is still to be compared */
};

struct dal_wildcards {
	struct dal_affixes sorted; /* the pieces; `atom` is the piece's id */
	bool starts[256];          /* the first bytes of pieces */
	struct dal_slice *pieces;
	uint32_t piece_count, piece_capacity;
	struct dal_id_table piece_table;
	struct node *nodes;
	uint32_t node_count, node_capacity;
	struct dal_id_table node_table; /* by parent and piece */
	struct end *ends;
	uint32_t end_count, end_capacity;
};

static uint32_t add_piece(struct dal_wildcards *wildcards, struct dal_slice text)
{
	uint32_t hash = (uint32_t)dal_hash64(text, 0), at = hash, id;
	while ((id = dal_id_table_next(&wildcards->piece_table, hash, &at)) != DAL_ABSENT) {
		if (dal_slice_equal(wildcards->pieces[id], text)) {
			return id;
		}
	}
	DAL_GROW(wildcards->pieces, wildcards->piece_count, wildcards->piece_capacity);
	id = wildcards->piece_count++;
	wildcards->pieces[id] = text;
	wildcards->starts[(unsigned char)text.data[0]] = true;
	dal_id_table_add(&wildcards->piece_table, hash, id);
	dal_affixes_add(&wildcards->sorted, text, id);
	return id;
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
	DAL_GROW(wildcards->nodes, wildcards->node_count, wildcards->node_capacity);
	wildcards->nodes[wildcards->node_count] = (struct node){.piece = piece,
								.parent = parent,
								.first_child = DAL_ABSENT,
								.sibling = DAL_ABSENT,
								.first_end = DAL_ABSENT};
	return wildcards->node_count++;
}

static uint32_t add_node(struct dal_wildcards *wildcards, uint32_t parent, uint32_t piece)
{
	uint32_t id = find_node(wildcards, parent, piece);
	if (id == DAL_ABSENT) {
		id = new_node(wildcards, parent, piece);
		wildcards->nodes[id].sibling = wildcards->nodes[parent].first_child;
		wildcards->nodes[parent].first_child = id;
		wildcards->nodes[parent].children++;
		dal_id_table_add(&wildcards->node_table, node_hash(parent, piece), id);
	}
	return id;
}

void dal_wildcards_add(struct dal_wildcards **wildcards, const struct dal_wildcard *wildcard,
		       uint32_t atom)
{
	if (!*wildcards) {
		*wildcards = dal_calloc(1, sizeof(**wildcards));
		new_node(*wildcards, DAL_ABSENT, DAL_ABSENT);
	}
	struct dal_wildcards *all = *wildcards;
	uint32_t node = 0;
	for (uint32_t i = 1; i + 1 < wildcard->count; i++) {
		node = add_node(all, node, add_piece(all, wildcard->pieces[i]));
	}
	bool exact = wildcard->pieces[0].size + wildcard->pieces[wildcard->count - 1].size == 0;
	DAL_GROW(all->ends, all->end_count, all->end_capacity);
	all->ends[all->end_count] = (struct end){atom, all->nodes[node].first_end, wildcard, exact};
	all->nodes[node].first_end = all->end_count++;
}

void dal_wildcards_finish(struct dal_wildcards *wildcards)
{
	dal_affixes_finish(&wildcards->sorted, false);
}

void dal_wildcards_free(struct dal_wildcards *wildcards)
{
	if (wildcards) {
		free(wildcards->sorted.items);
		free(wildcards->pieces);
		free(wildcards->piece_table.slots);
		free(wildcards->piece_table.hashes);
		free(wildcards->nodes);
		free(wildcards->node_table.slots);
		free(wildcards->node_table.hashes);
		free(wildcards->ends);
		free(wildcards);
	}
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
	void (*fire)(void *own, uint32_t atom);
	void *own;
};

static void note(void *own, uint32_t piece)
{
	struct search *search = own;
	struct dal_wildcard_scratch *scratch = search->scratch;
	if (scratch->found_count > FOUND_LIMIT) {
		return;
	}
	DAL_GROW(scratch->found, scratch->found_count, scratch->found_capacity);
	scratch->found[scratch->found_count++] = (struct dal_occurrence){piece, search->place};
	if (scratch->spans[piece].count++ == 0) {
		DAL_GROW(scratch->pieces, scratch->piece_count, scratch->pieces_capacity);
		scratch->pieces[scratch->piece_count++] = piece;
	}
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
		uint32_t piece = scratch->pieces[i];
		scratch->spans[piece].first = first;
		first += scratch->spans[piece].count;
		scratch->spans[piece].count = 0;
	}
	for (size_t i = 0; i < scratch->found_count; i++) {
		uint32_t piece = scratch->found[i].piece;
		scratch->places[scratch->spans[piece].first + scratch->spans[piece].count++] =
			scratch->found[i].place;
	}
}

static void find_pieces(struct search *search)
{
	struct dal_wildcard_scratch *scratch = search->scratch;
	size_t count = search->wildcards->piece_count;
	if (scratch->span_count < count) {
		free(scratch->spans);
		scratch->spans = dal_calloc(count, sizeof(*scratch->spans));
		scratch->span_count = count;
	}
	scratch->found_count = scratch->piece_count = 0;
	for (size_t i = 0; i < search->value.size && scratch->found_count <= FOUND_LIMIT; i++) {
		if (search->wildcards->starts[(unsigned char)search->value.data[i]]) {
			search->place = (uint32_t)i;
			dal_affixes_find(&search->wildcards->sorted,
					 dal_slice(search->value.data + i, search->value.size - i),
					 false, note, search);
		}
	}
}

/* The first place of a piece at or behind `from`, or DAL_ABSENT. */
static uint32_t next_place(const struct dal_wildcard_scratch *scratch, uint32_t piece,
			   uint32_t from)
{
	const uint32_t *places = scratch->places + scratch->spans[piece].first;
	uint32_t low = 0, high = scratch->spans[piece].count, count = high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (places[middle] < from) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low < count ? places[low] : DAL_ABSENT;
}

static void descend(const struct search *search, uint32_t id, uint32_t from);

static void step(const struct search *search, uint32_t child, uint32_t piece, uint32_t from)
{
	uint32_t place = next_place(search->scratch, piece, from);
	if (place != DAL_ABSENT) {
		descend(search, child, place + (uint32_t)search->wildcards->pieces[piece].size);
	}
}

static void descend(const struct search *search, uint32_t id, uint32_t from)
{
	const struct dal_wildcards *wildcards = search->wildcards;
	const struct dal_wildcard_scratch *scratch = search->scratch;
	const struct node *node = &wildcards->nodes[id];
	for (uint32_t i = node->first_end; i != DAL_ABSENT; i = wildcards->ends[i].next) {
		const struct end *end = &wildcards->ends[i];
		if (end->exact || dal_wildcard_matches(end->wildcard, search->value)) {
			search->fire(search->own, end->atom);
		}
	}
	if (node->children <= scratch->piece_count) {
		for (uint32_t i = node->first_child; i != DAL_ABSENT;
		     i = wildcards->nodes[i].sibling) {
			step(search, i, wildcards->nodes[i].piece, from);
		}
		return;
	}
	for (size_t i = 0; i < scratch->piece_count; i++) {
		uint32_t child = find_node(wildcards, id, scratch->pieces[i]);
		if (child != DAL_ABSENT) {
			step(search, child, scratch->pieces[i], from);
		}
	}
}

static void try_all(const struct search *search)
{
	for (uint32_t i = 0; i < search->wildcards->end_count; i++) {
		const struct end *end = &search->wildcards->ends[i];
		if (dal_wildcard_matches(end->wildcard, search->value)) {
			search->fire(search->own, end->atom);
		}
	}
}

void dal_wildcards_find(const struct dal_wildcards *wildcards, struct dal_wildcard_scratch *scratch,
			struct dal_slice value, void (*fire)(void *own, uint32_t atom), void *own)
{
	struct search search = {wildcards, scratch, value, 0, fire, own};
	find_pieces(&search);
	if (scratch->found_count <= FOUND_LIMIT) {
		group(scratch);
		descend(&search, 0, 0);
	} else {
		try_all(&search);
	}
	for (size_t i = 0; i < scratch->piece_count; i++) {
		scratch->spans[scratch->pieces[i]].count = 0;
	}
}

/* What the files of the evaluator share; nobody else includes it. */
#ifndef DAL_STREAM_EVALUATOR_PRIVATE_H
#define DAL_STREAM_EVALUATOR_PRIVATE_H

#include "engine/stream/evaluator.h"

struct dal_evaluator {
	struct dal_rules *rules;
	const struct dal_target *targets;
	size_t target_count;
	int (*load)(void *own, uint32_t projection, struct dal_slice key,
		    struct dal_view_entry *entry, struct dal_buffer *memory);
	const struct dal_evaluator_sink *sink;
	void *own;
	bool unlimited_time;
	const struct dal_view_rights *rights;
	struct dal_coverage_lines *lines;

	struct dal_vm *vm;
	struct dal_cache *cache;
	struct dal_matcher_scratch *scratch;

	/* the current event */
	const struct dal_log_batch *batch;
	size_t index;
	struct dal_json *json;
	struct dal_event event;
	uint32_t rule; /* whose functions run */

	/* a second opinion (vm.h, DAL_VM_LIMIT): a fresh machine and what it was given to look at
	 */
	struct dal_vm *second;
	struct dal_vm_entry **lent;
	size_t lent_count, lent_capacity;

	struct dal_json *earlier; /* an event of this batch that is folded once more */
	struct dal_buffer memory, text, payloads;
	size_t *payload_ends;                    /* as many as the most calls of a rule */
	const struct dal_target ***rule_targets; /* by rule, then by call; ends with NULL */
	char **topics;                           /* interned */
	size_t topic_count;
};

/* A fresh machine looking at the current event; the one before is freed. */
int dal_evaluator_second(struct dal_evaluator *evaluator, struct dal_vm **vm);
void dal_evaluator_second_end(struct dal_evaluator *evaluator);
/* The cached entry of a key, loaded if it is not there. */
int dal_evaluator_entry(struct dal_evaluator *evaluator, uint32_t projection, struct dal_slice key,
			struct dal_cache_entry **entry);
/* Makes the value of an entry again from what is stored. */
int dal_evaluator_reload(struct dal_evaluator *evaluator, struct dal_cache_entry *entry);
/* A record as an event, on any tape. As dal_evaluator_parse. */
int dal_evaluator_read(const struct dal_log_record *record, struct dal_json *json,
		       struct dal_event *event, struct dal_json_error *mistake);
/* A place whose topic lives as long as the evaluator. */
struct dal_place dal_evaluator_place(struct dal_evaluator *evaluator,
				     const struct dal_place *place);
void dal_evaluator_fail(struct dal_evaluator *evaluator,
			const struct dal_evaluator_failure *failure);
/* Is a declaration with these topics fed by the current event? */
bool dal_evaluator_feeds(const struct dal_evaluator *evaluator, const char *const *topics,
			 bool system);

/* rule.c */
int dal_evaluator_rule(struct dal_evaluator *evaluator, uint32_t rule);
/* fold.c */
int dal_evaluator_projection(struct dal_evaluator *evaluator, uint32_t projection);

#endif

#include "engine/http/internal.h"

/* The pool's thread, inside a callback of libmicrohttpd for this connection. */
void gate_sleep(struct gate *gate, struct MHD_Connection *mhd)
{
	unsigned seen = atomic_load(&gate->state);

	/* Suspended first: whoever sees ASLEEP may resume at once. */
	MHD_suspend_connection(mhd);
	while ((seen & GATE_WOKEN) == 0) {
		if (atomic_compare_exchange_weak(&gate->state, &seen, seen | GATE_ASLEEP)) {
			return;
		}
	}
	MHD_resume_connection(mhd);
}

/* The pool's thread: awake now. Gives what came in meanwhile (GATE_REPLIED, GATE_RESUMED). */
unsigned gate_enter(struct gate *gate)
{
	return atomic_fetch_and(&gate->state, ~(unsigned)(GATE_ASLEEP | GATE_WOKEN));
}

/*
 * Any thread. `mhd` is read by the caller before, because after the one step below the request may
 * be over, unless it sleeps: then it sleeps on until it is resumed here, exactly once.
 */
void gate_wake(struct gate *gate, unsigned bits, struct MHD_Connection *mhd)
{
	unsigned seen = atomic_load(&gate->state), next;

	do {
		next = (seen | bits | GATE_WOKEN) & ~(unsigned)GATE_ASLEEP;
	} while (!atomic_compare_exchange_weak(&gate->state, &seen, next));
	if ((seen & GATE_ASLEEP) != 0) {
		MHD_resume_connection(mhd);
	}
}

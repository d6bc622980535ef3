/*
 * Seeded defects, by which the crash harness shows that it would notice real ones. In a build with
 * -Dtest_faults=true the environment's DALAMB_FAULT names one of them; in every other build
 * dal_fault is the constant false and the defect isn't compiled in. Any thread.
 *
 *	dal_store_write(store, batch, !dal_fault("no-fsync"));
 */
#ifndef DAL_BASE_FAULT_H
#define DAL_BASE_FAULT_H

#include <stdbool.h>

#ifdef DAL_TEST_FAULTS
bool dal_fault(const char *name);
#else
static inline bool dal_fault(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif

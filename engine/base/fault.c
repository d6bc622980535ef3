#include "engine/base/fault.h"

#ifdef DAL_TEST_FAULTS

#include <stdlib.h>
#include <string.h>

bool dal_fault(const char *name)
{
	const char *active = getenv("DALAMB_FAULT");
	return active && strcmp(active, name) == 0;
}

#endif

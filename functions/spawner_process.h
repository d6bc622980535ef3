/* The forked process's own side of the spawner. */
#ifndef DAL_FUNCTIONS_SPAWNER_PROCESS_H
#define DAL_FUNCTIONS_SPAWNER_PROCESS_H

#include "functions/spawner.h"

/* Serves the engine until its end of `control` closes, then kills all children and ends. */
_Noreturn void dal_spawner_process_run(int control);
/* In a forked child: walls, limits, exec. Says on `control` what fails. `info` is for bubblewrap.
 */
_Noreturn void dal_spawn_child_run(const struct dal_spawn *spawn, int control, int output,
				   int info);

#endif

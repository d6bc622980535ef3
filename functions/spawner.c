#include "functions/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/spawn_message.h"
#include "functions/spawner_process.h"

struct dal_spawner {
	int control;
	pid_t pid;
	bool lost;                 /* the receiver's */
	struct dal_buffer message; /* the receiver's */
};

int dal_spawner_start(struct dal_spawner **spawner, struct dal_error *error)
{
	int ends[2];
	*spawner = NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		dal_error_set(error, "can't make a socket for the spawner: %s", strerror(errno));
		return -errno;
	}
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		dal_spawner_process_run(ends[1]);
	}
	int result = pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (result != 0) {
		(void)close(ends[0]);
		dal_error_set(error, "can't fork the spawner: %s", strerror(-result));
		return result;
	}
	*spawner = dal_calloc(1, sizeof(**spawner));
	(*spawner)->control = ends[0];
	(*spawner)->pid = pid;
	return 0;
}

void dal_spawner_stop(struct dal_spawner *spawner)
{
	if (!spawner) {
		return;
	}
	(void)close(spawner->control);
	while (waitpid(spawner->pid, NULL, 0) < 0 && errno == EINTR) {
	}
	dal_buffer_deinit(&spawner->message);
	free(spawner);
}

int dal_spawner_start_program(struct dal_spawner *spawner, const struct dal_spawn *spawn,
			      int output)
{
	struct dal_buffer message = {0};
	dal_spawn_write_start(spawn, &message);
	int result = message.size > DAL_SPAWN_MESSAGE_BYTES
			     ? -E2BIG
			     : dal_spawn_send(spawner->control, dal_buffer_slice(&message), output);
	dal_buffer_deinit(&message);
	return result;
}

int dal_spawner_signal(struct dal_spawner *spawner, uint64_t id, int signal)
{
	struct dal_buffer message = {0};
	dal_spawn_write_signal(id, signal, &message);
	int result = dal_spawn_send(spawner->control, dal_buffer_slice(&message), -1);
	dal_buffer_deinit(&message);
	return result;
}

int dal_spawner_guard(struct dal_spawner *spawner, int process)
{
	struct dal_buffer message = {0};
	dal_spawn_write_guard(&message);
	int result = dal_spawn_send(spawner->control, dal_buffer_slice(&message), process);
	dal_buffer_deinit(&message);
	return result;
}

int dal_spawner_receive(struct dal_spawner *spawner, struct dal_spawn_notice *notice)
{
	int descriptor = -1;
	int result = spawner->lost ? 1
				   : dal_spawn_receive(spawner->control, false, &spawner->message,
						       &descriptor);
	if (result > 0) {
		return DAL_SPAWN_NONE;
	}
	if (result < 0) {
		spawner->lost = true;
		*notice = (struct dal_spawn_notice){.kind = DAL_SPAWN_LOST, .descriptor = -1};
		return 0;
	}
	DAL_ASSERT(dal_spawn_read_notice(dal_buffer_slice(&spawner->message), notice) == 0);
	notice->descriptor = descriptor;
	return 0;
}

int dal_spawner_descriptor(const struct dal_spawner *spawner)
{
	return spawner->control;
}

int dal_spawner_pid(const struct dal_spawner *spawner)
{
	return spawner->pid;
}

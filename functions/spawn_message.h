/*
 * What engine and spawner say to each other: one message a SEQPACKET packet, descriptors by
 * SCM_RIGHTS. Both ends are the same binary, so the format has a version only to catch mistakes.
 *
 *	byte    version (1)
 *	byte    kind (enum dal_spawn_message_kind)
 *	u64be   id
 *	...     START: flags, memory, tmp as varints; name, folder sized; paths, command,
 *environment as a varint count and sized strings. Descriptor: output. SIGNAL: the signal as a
 *varint. GUARD: nothing. Descriptor: the process. NOTICE: pid, code, signal, cpu_us, memory_mb as
 *varints, text sized. Descriptor: of LISTENING. The child itself sends LISTENING and FAILED, the
 *spawner the others.
 */
#ifndef DAL_FUNCTIONS_SPAWN_MESSAGE_H
#define DAL_FUNCTIONS_SPAWN_MESSAGE_H

#include "functions/spawner.h"

/* The kernel's default socket buffer holds a packet of this size. */
#define DAL_SPAWN_MESSAGE_BYTES (128 * 1024)

enum dal_spawn_message_kind {
	DAL_SPAWN_MESSAGE_START = 1,
	DAL_SPAWN_MESSAGE_SIGNAL,
	DAL_SPAWN_MESSAGE_GUARD,
	DAL_SPAWN_MESSAGE_NOTICE = 16, /* plus enum dal_spawn_notice_kind */
};

/* What the spawner reads: `spawn` owns its strings then, free it with dal_spawn_deinit. */
struct dal_spawn_request {
	enum dal_spawn_message_kind kind;
	struct dal_spawn spawn; /* of SIGNAL: the id only */
	int signal;
};

void dal_spawn_deinit(struct dal_spawn *spawn);

void dal_spawn_write_start(const struct dal_spawn *spawn, struct dal_buffer *out);
void dal_spawn_write_signal(uint64_t id, int signal, struct dal_buffer *out);
void dal_spawn_write_guard(struct dal_buffer *out);
/* 0, or -EBADMSG. */
int dal_spawn_read_request(struct dal_slice message, struct dal_spawn_request *request);

void dal_spawn_write_notice(const struct dal_spawn_notice *notice, struct dal_buffer *out);
int dal_spawn_read_notice(struct dal_slice message, struct dal_spawn_notice *notice);

/* One packet, with a descriptor if it is not -1. Negated errno. */
int dal_spawn_send(int socket, struct dal_slice message, int descriptor);
/* 0; 1 if there is nothing now; -EPIPE at the end. `*descriptor` is -1 if none came. */
int dal_spawn_receive(int socket, bool wait, struct dal_buffer *message, int *descriptor);

#endif

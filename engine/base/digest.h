/*
 * Digests and identifiers: SHA-256, HMAC, a fast hash, random bytes, UUIDs, hex and base64.
 * The only user of libcrypto. Any thread.
 */
#ifndef DAL_BASE_DIGEST_H
#define DAL_BASE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define DAL_DIGEST_BYTES 32
#define DAL_UUID_TEXT_BYTES 37

struct dal_digest {
	uint8_t bytes[DAL_DIGEST_BYTES];
};

struct dal_digest dal_digest_of(struct dal_slice data);
/* RFC 2104 with SHA-256. */
struct dal_digest dal_digest_hmac(struct dal_slice key, struct dal_slice data);

/*
 * A digest over many pieces. Each is preceded by its length (eight bytes, big-endian), so that
 * ("a", "bc") is not ("ab", "c").
 */
struct dal_digester;
struct dal_digester *dal_digester_new(void);
void dal_digester_add(struct dal_digester *digester, struct dal_slice piece);
struct dal_digest dal_digester_finish_take(struct dal_digester *digester); /* frees it */

/* A HMAC-SHA-256 whose data comes in pieces, without lengths between them. */
struct dal_hmac;
struct dal_hmac *dal_hmac_new(struct dal_slice key);
void dal_hmac_add(struct dal_hmac *hmac, struct dal_slice piece);
struct dal_digest dal_hmac_finish_take(struct dal_hmac *hmac);

/* In time that depends on the sizes alone. */
bool dal_digest_equal(struct dal_slice a, struct dal_slice b);

/* 64 bits, fast, well spread, the same in each process and version (it is stored): wyhash-like. */
uint64_t dal_hash64(struct dal_slice data, uint64_t seed);

void dal_random(void *out, size_t size); /* from the kernel; aborts if it can't */
/* A random UUID, version 4; one derived from 16 bytes of a digest, version 8 (RFC 9562). */
void dal_uuid_random(char out[DAL_UUID_TEXT_BYTES]);
void dal_uuid_derive(struct dal_slice name, char out[DAL_UUID_TEXT_BYTES]);

/*
 * All of these append. A decoder is strict, takes one text for each value, and leaves `out` as it
 * was if it refuses. Hexadecimal is written in lower case and read in either.
 */
void dal_hex_encode(struct dal_slice data, struct dal_buffer *out);
bool dal_hex_decode(struct dal_slice text, struct dal_buffer *out);
/* RFC 4648 section 4. */
void dal_base64_encode(struct dal_slice data, struct dal_buffer *out);
bool dal_base64_decode(struct dal_slice text, struct dal_buffer *out);
/* Section 5, without padding. */
void dal_base64url_encode(struct dal_slice data, struct dal_buffer *out);
bool dal_base64url_decode(struct dal_slice text, struct dal_buffer *out);

#endif

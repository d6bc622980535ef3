#include "engine/base/digest.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

/* libcrypto fails here only without memory, or without SHA-256: neither can be recovered from. */

/* Looked up once: that costs more than the digest of a short text. */
static EVP_MD *sha256;

static void sha256_find(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	DAL_ASSERT(sha256);
}

static EVP_MD_CTX *digest_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	pthread_once(&once, sha256_find);
	DAL_ASSERT(context && EVP_DigestInit_ex(context, sha256, NULL) == 1);
	return context;
}

static void digest_add(EVP_MD_CTX *context, const void *data, size_t size)
{
	DAL_ASSERT(EVP_DigestUpdate(context, data, size) == 1);
}

static struct dal_digest digest_finish(EVP_MD_CTX *context)
{
	struct dal_digest digest;

	DAL_ASSERT(EVP_DigestFinal_ex(context, digest.bytes, NULL) == 1);
	EVP_MD_CTX_free(context);
	return digest;
}

struct dal_digest dal_digest_of(struct dal_slice data)
{
	EVP_MD_CTX *context = digest_start();

	digest_add(context, data.data, data.size);
	return digest_finish(context);
}

struct dal_digester {
	EVP_MD_CTX *context;
};

struct dal_digester *dal_digester_new(void)
{
	struct dal_digester *digester = dal_malloc(sizeof(*digester));

	digester->context = digest_start();
	return digester;
}

void dal_digester_add(struct dal_digester *digester, struct dal_slice piece)
{
	uint64_t size = htobe64(piece.size);

	digest_add(digester->context, &size, sizeof(size));
	digest_add(digester->context, piece.data, piece.size);
}

struct dal_digest dal_digester_finish_take(struct dal_digester *digester)
{
	struct dal_digest digest = digest_finish(digester->context);

	free(digester);
	return digest;
}

struct dal_hmac {
	EVP_MAC_CTX *context;
};

struct dal_hmac *dal_hmac_new(struct dal_slice key)
{
	struct dal_hmac *hmac = dal_malloc(sizeof(*hmac));
	EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_END,
	};
	const void *bytes = key.size ? key.data : ""; /* NULL would mean: no key yet */

	hmac->context = EVP_MAC_CTX_new(method);
	EVP_MAC_free(method); /* the context holds it */
	DAL_ASSERT(hmac->context && EVP_MAC_init(hmac->context, bytes, key.size, parameters) == 1);
	return hmac;
}

void dal_hmac_add(struct dal_hmac *hmac, struct dal_slice piece)
{
	DAL_ASSERT(EVP_MAC_update(hmac->context, (const void *)piece.data, piece.size) == 1);
}

struct dal_digest dal_hmac_finish_take(struct dal_hmac *hmac)
{
	struct dal_digest digest;
	size_t size;

	DAL_ASSERT(EVP_MAC_final(hmac->context, digest.bytes, &size, sizeof(digest.bytes)) == 1);
	DAL_ASSERT(size == sizeof(digest.bytes));
	EVP_MAC_CTX_free(hmac->context);
	free(hmac);
	return digest;
}

struct dal_digest dal_digest_hmac(struct dal_slice key, struct dal_slice data)
{
	struct dal_hmac *hmac = dal_hmac_new(key);

	dal_hmac_add(hmac, data);
	return dal_hmac_finish_take(hmac);
}

bool dal_digest_equal(struct dal_slice a, struct dal_slice b)
{
	return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}

void dal_random(void *out, size_t size)
{
	uint8_t *next = out;

	while (size) {
		ssize_t got = getrandom(next, size, 0);

		DAL_ASSERT(got > 0 || errno == EINTR);
		if (got > 0) {
			next += got;
			size -= (size_t)got;
		}
	}
}

/* RFC 9562: the version in the high bits of byte 6, the variant in those of byte 8. */
static void uuid_write(uint8_t bytes[16], uint8_t version, char out[DAL_UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | (version << 4));
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10) {
			*out++ = '-';
		}
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0x0f];
	}
	*out = '\0';
}

void dal_uuid_random(char out[DAL_UUID_TEXT_BYTES])
{
	uint8_t bytes[16];

	dal_random(bytes, sizeof(bytes));
	uuid_write(bytes, 4, out);
}

void dal_uuid_derive(struct dal_slice name, char out[DAL_UUID_TEXT_BYTES])
{
	struct dal_digest digest = dal_digest_of(name);

	uuid_write(digest.bytes, 8, out);
}

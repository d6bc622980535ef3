/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/digest.h"

#include <stdlib.h>

static void assert_hex(struct dal_digest digest, const char *expected)
{
	struct dal_buffer hex = {0};

	dal_hex_encode(dal_slice(digest.bytes, sizeof(digest.bytes)), &hex);
	assert_string_equal(dal_buffer_cstr(&hex), expected);
	dal_buffer_deinit(&hex);
}

static void sha256(void **state)
{
	(void)state;
	assert_hex(dal_digest_of(dal_slice_text("")),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_hex(dal_digest_of(dal_slice_text("abc")),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hmac_sha256(void **state)
{
	struct dal_hmac *hmac = dal_hmac_new(dal_slice_text("Jefe"));

	(void)state;
	/* RFC 4231 case 2, in pieces; GitHub's documented example; and an empty key. */
	dal_hmac_add(hmac, dal_slice_text("what do ya "));
	dal_hmac_add(hmac, dal_slice(NULL, 0));
	dal_hmac_add(hmac, dal_slice_text("want for nothing?"));
	assert_hex(dal_hmac_finish_take(hmac),
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_hex(dal_digest_hmac(dal_slice_text("It's a Secret to Everybody"),
				   dal_slice_text("Hello, World!")),
		   "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	assert_hex(dal_digest_hmac(dal_slice(NULL, 0), dal_slice(NULL, 0)),
		   "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static struct dal_digest digest_of_two(const char *a, const char *b)
{
	struct dal_digester *digester = dal_digester_new();

	dal_digester_add(digester, dal_slice_text(a));
	dal_digester_add(digester, dal_slice_text(b));
	return dal_digester_finish_take(digester);
}

static void pieces_have_borders(void **state)
{
	struct dal_digest one = digest_of_two("a", "bc");
	struct dal_digest other = digest_of_two("ab", "c");
	struct dal_digest again = digest_of_two("a", "bc");

	(void)state;
	assert_memory_not_equal(one.bytes, other.bytes, DAL_DIGEST_BYTES);
	assert_memory_equal(one.bytes, again.bytes, DAL_DIGEST_BYTES);
	/* The sizes are eight bytes, big-endian: the state's digests are compared across versions.
	 */
	assert_memory_equal(
		one.bytes,
		dal_digest_of(dal_slice("\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc", 19)).bytes,
		DAL_DIGEST_BYTES);
}

static void compares_digests(void **state)
{
	(void)state;
	assert_true(dal_digest_equal(dal_slice_text("same"), dal_slice_text("same")));
	assert_false(dal_digest_equal(dal_slice_text("same"), dal_slice_text("sama")));
	assert_false(dal_digest_equal(dal_slice_text("same"), dal_slice_text("sam")));
	assert_true(dal_digest_equal(dal_slice(NULL, 0), dal_slice_text("")));
}

static void hash_is_the_same_for_ever(void **state)
{
	/* Stored in indexes: if this test fails, the disk format has changed. */
	static const struct {
		size_t size;
		uint64_t hash;
	} fixed[] = {
		{0, UINT64_C(0x677d3326f5a0c876)},  {1, UINT64_C(0x941bdceb446a71ec)},
		{3, UINT64_C(0x44b3554c797d4c0d)},  {4, UINT64_C(0x00c20929b7718de5)},
		{7, UINT64_C(0x024cbf1614b8bfe1)},  {8, UINT64_C(0x65dd87bc365f6724)},
		{15, UINT64_C(0x3c471e68369f0d02)}, {16, UINT64_C(0x0c0cf055eaa5869b)},
		{17, UINT64_C(0x1403fa3f2d2026f1)}, {33, UINT64_C(0x899e85021166d7c6)},
		{48, UINT64_C(0xa32c06684a1da5e8)}, {49, UINT64_C(0x1ad88647f65c3ac2)},
		{97, UINT64_C(0xd79c67e9a36784c7)}, {200, UINT64_C(0x1c4ac65bb3a190f9)},
	};
	char data[200];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (char)(i * 7 + 1);
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		uint64_t hash = dal_hash64(dal_slice(data, fixed[i].size), 42);

		if (hash != fixed[i].hash) {
			fail_msg("{%zu, UINT64_C(0x%016llx)},", fixed[i].size,
				 (unsigned long long)hash);
		}
	}
}

/* Every bit of the input and of the seed moves about half of the output's bits. */
static void hash_spreads(void **state)
{
	char data[100] = {0};

	(void)state;
	for (size_t size = 1; size <= sizeof(data); size++) {
		uint64_t hash = dal_hash64(dal_slice(data, size), 0);
		int changed = 0;

		for (size_t bit = 0; bit < size * 8; bit++) {
			int distance;

			data[bit / 8] ^= (char)(1 << bit % 8);
			distance = __builtin_popcountll(hash ^
							dal_hash64(dal_slice(data, size), 0));
			data[bit / 8] ^= (char)(1 << bit % 8);
			assert_in_range(distance, 8, 56);
			changed += distance;
		}
		assert_in_range(changed / (int)(size * 8), 26, 38);
		assert_in_range(__builtin_popcountll(hash ^ dal_hash64(dal_slice(data, size), 1)),
				8, 56);
	}
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void hash_does_not_collide(void **state)
{
	enum { COUNT = 200000 };
	uint64_t *hashes = calloc(COUNT, sizeof(*hashes));

	(void)state;
	assert_non_null(hashes);
	for (uint64_t i = 0; i < COUNT; i++) {
		char key[16] = "";
		size_t size = 1;

		/* Short keys that differ in length only, and counters. */
		if (i < 16) {
			size = (size_t)i;
		} else {
			memcpy(key, &i, sizeof(i));
			size = sizeof(key);
		}
		hashes[i] = dal_hash64(dal_slice(key, size), 0);
	}
	qsort(hashes, COUNT, sizeof(*hashes), compare_hashes);
	for (size_t i = 1; i < COUNT; i++) {
		assert_true(hashes[i] != hashes[i - 1]);
	}
	free(hashes);
}

static void random_differs(void **state)
{
	uint8_t a[64] = {0}, b[64] = {0};

	(void)state;
	dal_random(a, sizeof(a));
	dal_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	dal_random(a, 0);
}

static void assert_uuid(const char *text, char version)
{
	assert_int_equal(strlen(text), 36);
	for (size_t i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			assert_int_equal(text[i], '-');
		} else {
			assert_non_null(strchr("0123456789abcdef", text[i]));
		}
	}
	assert_int_equal(text[14], version);
	assert_non_null(strchr("89ab", text[19]));
}

static void uuids(void **state)
{
	char one[DAL_UUID_TEXT_BYTES], other[DAL_UUID_TEXT_BYTES];

	(void)state;
	for (int i = 0; i < 100; i++) {
		dal_uuid_random(one);
		assert_uuid(one, '4');
		dal_uuid_random(other);
		assert_string_not_equal(one, other);
	}
	dal_uuid_derive(dal_slice_text("abc"), one);
	assert_uuid(one, '8');
	assert_string_equal(one, "ba7816bf-8f01-8fea-8141-40de5dae2223");
}

static void hex(void **state)
{
	struct dal_buffer out = {0};

	(void)state;
	dal_hex_encode(dal_slice("\x00\xff\x1a", 3), &out);
	assert_string_equal(dal_buffer_cstr(&out), "00ff1a");
	dal_buffer_clear(&out);
	dal_buffer_text(&out, "kept");
	assert_true(dal_hex_decode(dal_slice_text("00Ff1A"), &out));
	assert_int_equal(out.size, 7);
	assert_memory_equal(out.data, "kept\x00\xff\x1a", 7);
	assert_false(dal_hex_decode(dal_slice_text("000"), &out));
	assert_false(dal_hex_decode(dal_slice_text("000g"), &out));
	assert_int_equal(out.size, 7); /* a refusal leaves nothing behind */
	assert_true(dal_hex_decode(dal_slice_text(""), &out));
	dal_buffer_deinit(&out);
}

static const struct {
	const char *plain, *coded, *url;
} base64_cases[] = {
	{"", "", ""},
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"fooba", "Zm9vYmE=", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "+/+/", "-_-_"},
};

static void base64_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64_cases) / sizeof(base64_cases[0]); i++) {
		struct dal_slice plain = dal_slice_text(base64_cases[i].plain);
		struct dal_buffer out = {0};

		dal_base64_encode(plain, &out);
		assert_string_equal(dal_buffer_cstr(&out), base64_cases[i].coded);
		dal_buffer_clear(&out);
		dal_base64url_encode(plain, &out);
		assert_string_equal(dal_buffer_cstr(&out), base64_cases[i].url);
		dal_buffer_clear(&out);
		assert_true(dal_base64_decode(dal_slice_text(base64_cases[i].coded), &out));
		assert_true(dal_slice_equal(dal_buffer_slice(&out), plain));
		dal_buffer_clear(&out);
		assert_true(dal_base64url_decode(dal_slice_text(base64_cases[i].url), &out));
		assert_true(dal_slice_equal(dal_buffer_slice(&out), plain));
		dal_buffer_deinit(&out);
	}
}

static void base64_is_strict(void **state)
{
	static const char *const wrong[] = {"Zg",   "Zg=",  "Zg===", "Zh==",     "Zm9=",
					    "Z===", "====", "=",     "Zg==Zg==", "Zm9v\n",
					    "Zm9 ", "-_-_", "Z=g=",  "Zm9v="};
	static const char *const wrong_url[] = {"Z", "Zg==", "Zh", "+/+/", "Zm9", "Zm9v="};
	struct dal_buffer out = {0};

	(void)state;
	dal_buffer_text(&out, "kept");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (dal_base64_decode(dal_slice_text(wrong[i]), &out)) {
			fail_msg("accepted: %s", wrong[i]);
		}
	}
	for (size_t i = 0; i < sizeof(wrong_url) / sizeof(wrong_url[0]); i++) {
		if (dal_base64url_decode(dal_slice_text(wrong_url[i]), &out)) {
			fail_msg("accepted: %s", wrong_url[i]);
		}
	}
	assert_string_equal(dal_buffer_cstr(&out), "kept");
	dal_buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256),
		cmocka_unit_test(hmac_sha256),
		cmocka_unit_test(pieces_have_borders),
		cmocka_unit_test(compares_digests),
		cmocka_unit_test(hash_is_the_same_for_ever),
		cmocka_unit_test(hash_spreads),
		cmocka_unit_test(hash_does_not_collide),
		cmocka_unit_test(random_differs),
		cmocka_unit_test(uuids),
		cmocka_unit_test(hex),
		cmocka_unit_test(base64_both_ways),
		cmocka_unit_test(base64_is_strict),
	};

	return cmocka_run_group_tests_name("base/digest", tests, NULL, NULL);
}

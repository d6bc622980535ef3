/*
 * dal_hash64: multiply two words to 128 bits, fold the halves together, and go on with the result.
 * Its values are stored: a change here is a change of the disk format.
 */
#include <endian.h>

#include "engine/base/digest.h"

/* The fractions of the square roots of 2, 3, 5 and 7: arbitrary, and nothing up the sleeve. */
#define ROOT_2 UINT64_C(0x6a09e667f3bcc909)
#define ROOT_3 UINT64_C(0xbb67ae8584caa73b)
#define ROOT_5 UINT64_C(0x3c6ef372fe94f82b)
#define ROOT_7 UINT64_C(0xa54ff53a5f1d36f1)

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t read_64(const char *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return le64toh(word);
}

static inline uint64_t read_32(const char *from)
{
	uint32_t word;

	memcpy(&word, from, sizeof(word));
	return le32toh(word);
}

/* Up to 16 bytes in two words that overlap, so that every byte is in one of them. */
static inline void read_short(const char *from, size_t size, uint64_t *a, uint64_t *b)
{
	if (size >= 8) {
		*a = read_64(from);
		*b = read_64(from + size - 8);
	} else if (size >= 4) {
		*a = read_32(from);
		*b = read_32(from + size - 4);
	} else if (size > 0) {
		*a = (uint64_t)(uint8_t)from[0] << 16 | (uint64_t)(uint8_t)from[size / 2] << 8 |
		     (uint8_t)from[size - 1];
		*b = 0;
	} else {
		*a = *b = 0;
	}
}

/* Three chains that don't wait for each other, while there are more than 48 bytes. */
static uint64_t hash_long(const char **from, size_t *left, uint64_t state)
{
	uint64_t second = state, third = state;

	while (*left > 48) {
		const char *at = *from;

		state = fold(read_64(at) ^ ROOT_2, read_64(at + 8) ^ state);
		second = fold(read_64(at + 16) ^ ROOT_3, read_64(at + 24) ^ second);
		third = fold(read_64(at + 32) ^ ROOT_5, read_64(at + 40) ^ third);
		*from += 48;
		*left -= 48;
	}
	return state ^ second ^ third;
}

uint64_t dal_hash64(struct dal_slice data, uint64_t seed)
{
	const char *from = data.data;
	size_t left = data.size;
	uint64_t state = seed ^ fold(seed ^ ROOT_2, ROOT_3);
	uint64_t a, b;

	if (left <= 16) {
		read_short(from, left, &a, &b);
	} else {
		if (left > 48) {
			state = hash_long(&from, &left, state);
		}
		while (left > 16) {
			state = fold(read_64(from) ^ ROOT_3, read_64(from + 8) ^ state);
			from += 16;
			left -= 16;
		}
		a = read_64(from + left - 16);
		b = read_64(from + left - 8);
	}
	state = fold(a ^ ROOT_5, b ^ state);
	return fold(state ^ ROOT_7, ROOT_2 ^ data.size);
}

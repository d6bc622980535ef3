/*
 * 64 bytes of text as bitmaps: bit i says something of byte i. Private to engine/event.
 *
 * One source for each instruction set that json_select_scan.c is compiled for; where there is none
 * of them, loops that the compiler may make of it what it can. The idea of telling strings apart by
 * the parity of quotes is simdjson's (Langdale, Lemire: Parsing Gigabytes of JSON per Second).
 */
#ifndef DAL_EVENT_JSON_BLOCK_H
#define DAL_EVENT_JSON_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define BLOCK 64

#if defined(__AVX512BW__)

struct block {
	__m512i bytes;
};

static inline struct block block_load(const char *at)
{
	return (struct block){_mm512_loadu_si512(at)};
}

static inline struct block block_fold(struct block b)
{
	return (struct block){_mm512_or_si512(b.bytes, _mm512_set1_epi8(0x20))};
}

static inline uint64_t block_equal(struct block b, char c)
{
	return _mm512_cmpeq_epi8_mask(b.bytes, _mm512_set1_epi8(c));
}

#elif defined(__AVX2__)

struct block {
	__m256i low, high;
};

static inline struct block block_load(const char *at)
{
	return (struct block){_mm256_loadu_si256((const __m256i *)at),
			      _mm256_loadu_si256((const __m256i *)(at + 32))};
}

static inline struct block block_fold(struct block b)
{
	__m256i bit = _mm256_set1_epi8(0x20);
	return (struct block){_mm256_or_si256(b.low, bit), _mm256_or_si256(b.high, bit)};
}

static inline uint64_t block_equal(struct block b, char c)
{
	__m256i all = _mm256_set1_epi8(c);
	uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b.low, all));
	uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b.high, all));
	return (uint64_t)high << 32 | low;
}

#elif defined(__SSE2__)

struct block {
	__m128i part[4];
};

static inline struct block block_load(const char *at)
{
	struct block b;
	for (int i = 0; i < 4; i++) {
		b.part[i] = _mm_loadu_si128((const __m128i *)at + i);
	}
	return b;
}

static inline struct block block_fold(struct block b)
{
	for (int i = 0; i < 4; i++) {
		b.part[i] = _mm_or_si128(b.part[i], _mm_set1_epi8(0x20));
	}
	return b;
}

static inline uint64_t block_equal(struct block b, char c)
{
	uint64_t bits = 0;
	for (int i = 0; i < 4; i++) {
		__m128i equal = _mm_cmpeq_epi8(b.part[i], _mm_set1_epi8(c));
		bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal) << (16 * i);
	}
	return bits;
}

#else

struct block {
	unsigned char bytes[BLOCK];
};

static inline struct block block_load(const char *at)
{
	struct block b;
	memcpy(b.bytes, at, BLOCK);
	return b;
}

static inline struct block block_fold(struct block b)
{
	for (int i = 0; i < BLOCK; i++) {
		b.bytes[i] |= 0x20;
	}
	return b;
}

static inline uint64_t block_equal(struct block b, char c)
{
	uint64_t bits = 0;
	for (int i = 0; i < BLOCK; i++) {
		bits |= (uint64_t)(b.bytes[i] == (unsigned char)c) << i;
	}
	return bits;
}

#endif

/* Bit i is the parity of the bits 0 to i: from each odd set bit on up to before the even one. */
static inline uint64_t block_between(uint64_t bits)
{
#if defined(__PCLMUL__)
	__m128i ones = _mm_set1_epi8((char)0xFF);
	__m128i value = _mm_set_epi64x(0, (int64_t)bits);
	return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(value, ones, 0));
#else
	for (int shift = 1; shift < BLOCK; shift *= 2) {
		bits ^= bits << shift;
	}
	return bits;
#endif
}

/*
 * The bytes that a backslash before them escapes. `*carry` says whether the first byte is one, and
 * then whether the next block's first is. Backslashes are few: one after the other.
 */
static inline uint64_t block_escaped(uint64_t backslashes, uint64_t *carry)
{
	uint64_t escaped = *carry;
	backslashes &= ~*carry;
	*carry = 0;
	while (backslashes) {
		uint64_t first = backslashes & -backslashes;
		*carry = first >> 63;
		escaped |= first << 1;
		backslashes &= ~(first | first << 1);
	}
	return escaped;
}

#endif
